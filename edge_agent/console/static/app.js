/* What holds the pages together: which one is shown, what it needs, and news from the agent. */
"use strict";

var OVERVIEW = null;
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
  return { machine: "overview", indicator: "indicators" }[name] || name;
}

function fetchNeeds(here) {
  PAGES[here.name].needs(here.key).forEach(function (need) {
    var url = need[0], state = FETCHED[url] || (FETCHED[url] = { at: -1e12, busy: false });
    if (state.busy || Date.now() - state.at < need[1]) return;
    state.busy = true;
    fetch("api/v1/" + url, { credentials: "omit" }).then(function (response) { return response.json(); })
      .then(function (data) { DATA[url] = data; }, function () { /* the live stream says that the agent is away */ })
      .then(function () { state.busy = false; state.at = Date.now(); render(); });
  });
}

function header(here) {
  var gateway = OVERVIEW.gateway;
  return h("div", { "class": "bar" },
    h("button", { "class": "skip", type: "button", "data-skip": true }, t("app.skip")),
    h("a", { "class": "brand", href: "#/overview" }, h("img", { src: "static/icon.svg", alt: "", width: 26, height: 26 }),
      h("span", {}, h("b", {}, gateway.name || t("app.name")), h("small", {}, gateway.id))),
    h("nav", { "aria-label": t("app.nav") }, ["overview", "connections", "uplinks", "indicators", "register"].map(function (name) {
      return h("a", { href: "#/" + name, "aria-current": section(here.name) === name ? "page" : null }, t("nav." + name));
    })),
    h("div", { "class": "corner" },
      h("span", { "class": "pulse " + (LOST ? "away" : "there"), role: "status" },
        h("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", "class": "shape " + (LOST ? "alarm" : "running") }, h(SHAPES[LOST ? "alarm" : "running"][0], SHAPES[LOST ? "alarm" : "running"][1])),
        LOST ? t("app.lost") : t("app.live")),
      h("time", {}, timeText(OVERVIEW.time_ms)),
      h("button", { type: "button", "data-language": LANGUAGE === "zh" ? "en" : "zh", lang: LANGUAGE === "zh" ? "en" : "zh" }, LANGUAGE === "zh" ? "English" : "中文")));
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
  if (urls.some(function (url) { return DATA[url] === undefined; })) return loading();
  var failed = DATA[urls[0]] && DATA[urls[0]].error;
  if (failed) return h("p", { "class": "trouble lasts" }, tf("app.failed", { error: failed }));
  return PAGES[here.name].show(here.key, OVERVIEW);
}

function render() {
  if (!OVERVIEW || !WORDS) return;
  var here = route(), main = document.getElementById("main");
  patchChildren(document.getElementById("top"), h("div", {}, header(here)));
  patchChildren(main, h("div", {}, content(here)));
  patchChildren(document.getElementById("foot"), h("div", {}, footer()));
  main.className = here.name + (LOST ? " stale" : "");
  document.documentElement.lang = LANGUAGE;
  document.title = t(here.name === "machine" ? "register.id" : "nav." + section(here.name)) + (here.key ? " " + decodeURIComponent(here.key) : "") + " · " + t("app.name");
}

function moved() {
  var here = route(), at = here.name + "/" + here.key;
  fetchNeeds(here);
  render();
  if (SHOWN && SHOWN !== at) {
    window.scrollTo(0, 0);
    document.getElementById("main").focus();
  }
  SHOWN = at;
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
  var stream = new EventSource("api/v1/live");
  stream.addEventListener("overview", news);
  stream.onerror = function () {
    if (stream.readyState === 2) setTimeout(follow, 3000);
  };
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
/* News and words are asked for together: the page stands when both are there. */
follow();
speak(remembered()).then(moved);
