/* What holds the pages together: which one is shown, what it needs, and news from the agent. */
"use strict";

var OVERVIEW = null;
var STREAM = null;
var LOST = false;
var HEARD_AT = 0;
var FETCHED = {};
var SHOWN = "";
var LOST_AFTER_MS = 5000;

function route() {
  var parts = location.hash.replace(/^#\//, "").split("/");
  var name = PAGES[parts[0]] ? parts[0] : "overview";
  return { name: name, key: parts.slice(1).join("/") };
}

function section(name) {
  return { machine: "overview", indicator: "indicators", connection: "connections" }[name] || name;
}

function fetchNeeds(here) {
  PAGES[here.name].needs(here.key).forEach(function (need) {
    var url = need[0], state = FETCHED[url] || (FETCHED[url] = { at: -1e12, busy: false });
    if (state.busy || Date.now() - state.at < need[1]) return;
    state.busy = true;
    function take(data) {
      if (FETCHED[url] === state) DATA[url] = data; // else somebody has signed out meanwhile
    }
    ask(url).then(take, function (error) {
      // Without a status, the live stream says that the agent is away.
      if (error.status && error.status !== 401) take(error.data);
    })
      .then(function () { state.busy = false; state.at = Date.now(); render(); });
  });
}

function header(here) {
  var gateway = OVERVIEW.gateway;
  return h("div", { "class": "bar" },
    h("button", { "class": "skip", type: "button", "data-skip": true }, t("app.skip")),
    h("a", { "class": "brand", href: "#/overview" }, h("img", { src: "static/icon.svg", alt: "", width: 26, height: 26 }),
      h("span", {}, h("b", {}, gateway.name || t("app.name")), h("small", {}, gateway.id))),
    h("nav", { "aria-label": t("app.nav") }, ["overview", "connections", "uplinks", "indicators", "register", "logs", "configuration"].map(function (name) {
      return h("a", { href: "#/" + name, "aria-current": section(here.name) === name ? "page" : null }, t("nav." + name));
    })),
    h("div", { "class": "corner" },
      h("span", { "class": "pulse " + (LOST ? "away" : "there"), role: "status" },
        h("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", "class": "shape " + (LOST ? "alarm" : "running") }, h(SHAPES[LOST ? "alarm" : "running"][0], SHAPES[LOST ? "alarm" : "running"][1])),
        LOST ? t("app.lost") : t("app.live")),
      h("time", {}, timeText(OVERVIEW.time_ms)),
      sessionCorner(),
      languageButton()));
}

function languageButton() {
  var other = LANGUAGE === "zh" ? "en" : "zh";
  return h("button", { type: "button", "data-language": other, lang: other }, other === "en" ? "English" : "中文");
}

function footer() {
  var gateway = OVERVIEW.gateway;
  return h("p", {}, t("app.read_only"), h("span", {}, t("app.version") + " " + gateway.version), h("span", {}, t("app.configuration") + " ", digest(gateway.configuration)),
    h("span", {}, tf("app.up", { time: duration(OVERVIEW.time_ms - gateway.since_ms) })),
    gateway.down_ms > 60000 && h("span", {}, tf("app.down", { time: duration(gateway.down_ms) })),
    Math.abs(gateway.clock_offset_ms) > 1000 && h("span", {}, tf("app.clock", { ms: gateway.clock_offset_ms })),
    h("a", { href: "api/v1/openapi.json" }, "API"), h("a", { href: "metrics" }, "/metrics"));
}

function content(here) {
  var urls = PAGES[here.name].needs(here.key).map(function (need) { return need[0]; });
  if (!PAGES[here.name].patient && urls.some(function (url) { return DATA[url] === undefined; })) return loading();
  var failed = DATA[urls[0]] && DATA[urls[0]].error;
  if (failed) return h("p", { "class": "trouble lasts" }, tf("app.failed", { error: failed }));
  return PAGES[here.name].show(here.key, OVERVIEW);
}

function render() {
  if (!WORDS || !SESSION) return;
  if (!signedIn()) return renderSignIn();
  if (!OVERVIEW) return;
  var here = route(), main = document.getElementById("main");
  patchChildren(document.getElementById("top"), h("div", {}, header(here)));
  patchChildren(main, h("div", {}, content(here)));
  patchChildren(document.getElementById("foot"), h("div", {}, footer()));
  main.className = here.name + (LOST ? " stale" : "");
  document.documentElement.lang = LANGUAGE;
  document.title = t(here.name === "machine" ? "register.id" : "nav." + section(here.name)) + (here.key ? " " + decodeURIComponent(here.key) : "") + " · " + t("app.name");
}

function renderSignIn() {
  var main = document.getElementById("main");
  patchChildren(document.getElementById("top"), h("div", {}, h("div", { "class": "bar" },
    h("span", { "class": "brand" }, h("img", { src: "static/icon.svg", alt: "", width: 26, height: 26 }), h("b", {}, t("app.name"))),
    h("div", { "class": "corner" }, languageButton()))));
  patchChildren(main, h("div", {}, signInForm()));
  patchChildren(document.getElementById("foot"), h("div", {}));
  main.className = "";
  document.documentElement.lang = LANGUAGE;
  document.title = t("session.sign_in") + " · " + t("app.name");
}

function moved() {
  if (!signedIn()) return;
  var here = route(), at = here.name + "/" + here.key;
  fetchNeeds(here);
  render();
  if (SHOWN && SHOWN !== at) {
    window.scrollTo(0, 0);
    document.getElementById("main").focus();
  }
  SHOWN = at;
  var current = document.querySelector("nav a[aria-current]");
  if (current) current.parentNode.scrollLeft = current.offsetLeft - 80;
}

function news(event) {
  OVERVIEW = JSON.parse(event.data);
  ZONE = OVERVIEW.gateway.timezone;
  HEARD_AT = Date.now();
  LOST = false;
  if (document.hidden) return;
  fetchNeeds(route());
  render();
}

function follow() {
  if (STREAM) STREAM.close();
  var stream = STREAM = new EventSource("api/v1/live");
  stream.addEventListener("overview", news);
  stream.onopen = learnSession; // an agent that was started anew wants another anti-forgery token
  stream.onerror = function () {
    if (stream.readyState !== 2 || stream !== STREAM) return;
    learnSession().then(function () {
      if (stream === STREAM && signedIn()) setTimeout(follow, 3000);
    });
  };
}

/* Nothing of what somebody has seen stays for the next who signs in. */
function forget() {
  if (STREAM) STREAM.close();
  STREAM = OVERVIEW = null;
  DATA = {};
  FETCHED = {};
  SHOWN = "";
  LOG.shown = null;
  VALIDATION = { busy: "", found: null, asking: false, applied: null, cut: VALIDATION.busy === "apply" || VALIDATION.cut, failed: "" };
}

function speak(language) {
  return fetch("static/" + language + ".json", { credentials: "omit" }).then(function (response) { return response.json(); })
    .then(function (words) {
      WORDS = words;
      LANGUAGE = language;
      FORMATS = {};
    });
}

function remembered() {
  var asked = /[?&]lang=(zh|en)\b/.exec(location.search), kept = null;
  try { kept = localStorage.getItem("language"); } catch (error) { kept = null; }
  return asked ? asked[1] : kept || (/^zh/.test(navigator.language) ? "zh" : "en");
}

function attribute(event, name) {
  var node = event.target.closest ? event.target.closest("[" + name + "]") : null;
  return node ? node.getAttribute(name) : null;
}

document.addEventListener("click", function (event) {
  var language = attribute(event, "data-language"), filter = attribute(event, "data-filter");
  if (attribute(event, "data-skip") !== null) document.getElementById("main").focus();
  if (language) {
    try { localStorage.setItem("language", language); } catch (error) { /* it is asked again next time */ }
    speak(language).then(render);
  }
  if (filter !== null) {
    FILTER = FILTER === filter ? "" : filter;
    render();
  }
});

document.addEventListener("input", function (event) {
  if (event.target.id === "search") {
    SEARCH = event.target.value;
    render();
  }
});

setInterval(function () {
  if (OVERVIEW && !LOST && Date.now() - HEARD_AT > LOST_AFTER_MS && !document.hidden) {
    LOST = true;
    render();
  }
}, 1000);

window.addEventListener("hashchange", moved);
/* Words and who is there are asked for together: the page stands when both are known. */
speak(remembered()).then(function () { moved(); render(); });
(function start() {
  learnSession().then(function () { if (!SESSION) setTimeout(start, 3000); });
})();
