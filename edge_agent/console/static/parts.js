/* Pieces that several pages are made of. */
"use strict";

var STATES = ["running", "idle", "setup", "alarm", "off", "unknown"];
var LINKS = ["registered", "reachable", "data_valid", "live"];

/* Each state has a shape of its own, so that nobody depends on its colour. */
var SHAPES = {
  running: ["circle", { cx: 8, cy: 8, r: 6 }],
  idle: ["circle", { cx: 8, cy: 8, r: 4.75, "class": "hollow" }],
  setup: ["path", { d: "M8 1.5 14.5 8 8 14.5 1.5 8Z" }],
  alarm: ["path", { d: "M8 1.5 15 14.5H1Z" }],
  off: ["rect", { x: 2.5, y: 2.5, width: 11, height: 11 }],
  unknown: ["path", { d: "M4.6 5.6C4.6 3.4 6 2.2 8 2.2s3.5 1.2 3.5 3.1c0 2.4-3.3 2.5-3.3 5M8.2 12.6v1.6", "class": "stroke" }]
};

function shape(state) {
  return h("svg", { "class": "shape " + state, viewBox: "0 0 16 16", "aria-hidden": "true" },
    h(SHAPES[state][0], SHAPES[state][1]));
}

function stateTag(state) {
  return h("span", { "class": "state " + state }, shape(state), t("states." + state));
}

/* Four steps, as many filled as are proved. */
function linkTag(link) {
  var level = LINKS.indexOf(link);
  return h("span", { "class": "link link-" + link },
    h("svg", { "class": "steps", viewBox: "0 0 18 12", "aria-hidden": "true" }, LINKS.map(function (_, place) {
      return h("rect", { x: place * 4.6, y: 9 - place * 3, width: 3.4, height: 3 + place * 3, "class": place <= level ? "on" : "" });
    })),
    t("links." + link));
}

/* A bar of the times in each state, with the same order everywhere. */
function stackedBar(parts, label) {
  var total = parts.reduce(function (sum, one) { return sum + one.size; }, 0);
  return h("div", { "class": "stacked", role: "img", "aria-label": label },
    parts.filter(function (one) { return one.size > 0; }).map(function (one) {
      return h("span", { "class": "fill " + one.name, style: { width: (100 * one.size / total) + "%" } });
    }));
}

function panel(heading, content, options) {
  options = options || {};
  return h("section", { "class": "panel " + (options.kind || "") },
    heading && h("h2", {}, heading, options.note && h("small", {}, options.note), options.more), content);
}

/* `columns`: [heading, class]; `rows`: lists of cells. On a phone it scrolls sideways by itself. */
function table(caption, columns, rows) {
  return h("div", { "class": "scroll", tabindex: "0", role: "region", "aria-label": caption }, h("table", {},
    h("thead", {}, h("tr", {}, columns.map(function (one) {
      return h("th", { scope: "col", "class": one[1] }, one[0]);
    }))),
    h("tbody", {}, rows.map(function (cells) {
      return h("tr", {}, cells.map(function (cell, place) {
        return h("td", { "class": (columns[place] || [])[1] }, cell);
      }));
    }))));
}

function facts(pairs) {
  return h("dl", { "class": "facts" }, pairs.filter(function (one) {
    return one[1] !== "" && one[1] !== null && one[1] !== undefined;
  }).map(function (one) { return h("div", {}, h("dt", {}, one[0]), h("dd", {}, one[1])); }));
}

function machineLink(id) {
  return h("a", { href: "#/machine/" + encodeURIComponent(id) }, id);
}

function code(text) {
  return h("code", {}, text);
}

function digest(text) {
  return h("code", { title: text }, text.slice(0, 12) + (text.length > 12 ? "…" : ""));
}

function loading() {
  return h("p", { "class": "quiet" }, t("app.loading"));
}

/* What went wrong, and what to do about it. */
function troubleNote(trouble, of) {
  var lasts = trouble.over_ms === null;
  return h("div", { "class": "trouble " + (lasts ? "lasts" : "over") },
    h("p", {}, of && h("b", {}, of + " "), h("b", {}, title(trouble.text)), " ",
      h("span", { "class": "quiet" }, moment(trouble.time_ms) + " · " +
        (lasts ? t("machine.standing") : tf("machine.over", { time: timeText(trouble.over_ms) })))),
    title(trouble.todo) && h("p", {}, h("b", {}, t("machine.remedy") + " "), title(trouble.todo)),
    h("p", { "class": "quiet" }, trouble.message, trouble.remedy && ". " + trouble.remedy));
}

/* What it means, and in its own words where those say more. */
function eventText(one) {
  var text = title(one.text), todo = title(one.todo);
  return [text && h("p", {}, text), todo && h("p", {}, h("b", {}, t("machine.remedy") + " "), todo),
    one.more && h("p", { "class": "quiet" }, one.more)];
}

function eventRows(events) {
  return events.map(function (one) {
    return [h("time", {}, moment(one.time)), h("b", {}, t("events." + one.kind)), code(one.subject || "–"), h("div", { "class": "told" }, eventText(one))];
  });
}

function scopeText(scope) {
  return scope.level === "enterprise" ? t("indicator.enterprise") : scope.id;
}

function meter(rate) {
  return h("span", { "class": "meter", "aria-hidden": "true" },
    h("span", { style: { width: (100 * Math.min(1, rate || 0)) + "%" } }));
}
