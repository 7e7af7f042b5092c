/* Small tools for the DOM: elements from calls, and changing what is shown as little as possible. */
"use strict";

var SVG = "http://www.w3.org/2000/svg";
var SVG_TAGS = { svg: 1, rect: 1, path: 1, circle: 1, title: 1, pattern: 1, defs: 1, line: 1 };

/* An element. `style` in the attributes is an object; children are elements, text, lists of them, or nothing. */
function h(tag, attributes) {
  var node = SVG_TAGS[tag] ? document.createElementNS(SVG, tag) : document.createElement(tag);
  Object.keys(attributes || {}).forEach(function (name) {
    var value = attributes[name];
    if (value === null || value === undefined || value === false) return;
    if (name === "style") {
      Object.keys(value).forEach(function (property) { node.style.setProperty(property, value[property]); });
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  });
  add(node, Array.prototype.slice.call(arguments, 2));
  return node;
}

function add(node, children) {
  children.forEach(function (child) {
    if (Array.isArray(child)) add(node, child);
    else if (child !== null && child !== undefined && child !== false && child !== "") {
      node.appendChild(typeof child === "object" ? child : document.createTextNode(String(child)));
    }
  });
}

/* An element of which there are hundreds: its children are made by `fill`, and only where what is shown was made of
   something else than `of`, a text in which stands all that it depends on. */
function lazy(tag, attributes, of, fill) {
  var node = h(tag, attributes);
  node.madeOf = of;
  node.fill = fill;
  return node;
}

/* Make what is in it, before it is shown. */
function whole(node) {
  if (node.fill) {
    add(node, node.fill());
    node.fill = null;
  }
  node.childNodes.forEach(whole);
  return node;
}

/* Make the children of `shown` look like those of `wanted`. What stays the same is not touched, so that focus,
   scrolling and what a reader has opened stay. */
function patchChildren(shown, wanted) {
  var old = Array.prototype.slice.call(shown.childNodes);
  var fresh = Array.prototype.slice.call(wanted.childNodes);
  fresh.forEach(function (node, place) {
    if (place >= old.length) shown.appendChild(whole(node));
    else patch(old[place], node);
  });
  old.slice(fresh.length).forEach(function (node) { shown.removeChild(node); });
}

function patch(shown, wanted) {
  if (shown.nodeType !== wanted.nodeType || shown.nodeName !== wanted.nodeName ||
      (shown.nodeType === 1 && shown.getAttribute("data-key") !== wanted.getAttribute("data-key"))) {
    shown.parentNode.replaceChild(whole(wanted), shown);
  } else if (shown.nodeType === 3) {
    if (shown.data !== wanted.data) shown.data = wanted.data;
  } else if (wanted.madeOf === undefined || wanted.madeOf !== shown.madeOf) {
    if (wanted.fill) whole(wanted);
    shown.madeOf = wanted.madeOf;
    patchAttributes(shown, wanted);
    patchChildren(shown, wanted);
  }
}

function patchAttributes(shown, wanted) {
  Array.prototype.slice.call(shown.attributes).forEach(function (one) {
    if (one.name !== "style" && one.name !== "open" && !wanted.hasAttribute(one.name)) shown.removeAttribute(one.name);
  });
  Array.prototype.slice.call(wanted.attributes).forEach(function (one) {
    if (one.name !== "style" && one.name !== "open" && shown.getAttribute(one.name) !== one.value) {
      shown.setAttribute(one.name, one.value);
    }
  });
  if (shown.style && shown.style.cssText !== wanted.style.cssText) shown.style.cssText = wanted.style.cssText;
}
