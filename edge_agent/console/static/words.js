/* Words, numbers and times as people read them. */
"use strict";

var PAGES = {};
var DATA = {};
var WORDS = null;
var LANGUAGE = "zh";
var ZONE = "Asia/Shanghai";

/* The word of a key such as "states.running"; where the catalogue has none, what stands behind the last dot. */
function t(key) {
  var dot = key.indexOf(".");
  var group = WORDS[key.slice(0, dot)] || {};
  var found = group[key.slice(dot + 1)];
  return found === undefined ? key.slice(dot + 1) : found;
}

/* With what stands in braces put in. */
function tf(key, values) {
  return t(key).replace(/{(\w+)}/g, function (_, name) { return values[name]; });
}

function causeText(state, cause) {
  return state === "unknown" ? t("causes." + cause) : cause;
}

function title(texts) {
  return (texts && texts[LANGUAGE]) || "";
}

function number(value, digits) {
  return Number(value).toLocaleString(LANGUAGE === "zh" ? "zh-CN" : "en-GB",
    { minimumFractionDigits: digits || 0, maximumFractionDigits: digits === undefined ? 3 : digits });
}

function rateText(definition, figure) {
  if (!figure || figure.rate === null) return "–";
  if (definition.unit === "per_10000_employees") return number(figure.rate * 10000, 1);
  return number(figure.rate * 100, 1);
}

function rateUnit(definition) {
  return definition.unit === "per_10000_employees" ? t("units.per_10000") : "%";
}

/* Money is counted in fen. */
function countText(definition, count) {
  return definition.weight === "asset_value" ? "¥" + number(count / 100, 0) : number(count, 0);
}

/* The two largest units: 3 h 05 min, 12 s. */
function duration(ms) {
  var seconds = Math.max(0, Math.floor(ms / 1000));
  var minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  function two(value) { return (value < 10 ? "0" : "") + value; }
  if (days) return days + " " + t("units.d") + " " + (hours % 24) + " " + t("units.h");
  if (hours) return hours + " " + t("units.h") + " " + two(minutes % 60) + " " + t("units.min");
  if (minutes) return minutes + " " + t("units.min") + " " + two(seconds % 60) + " " + t("units.s");
  return seconds + " " + t("units.s");
}

function clock(ms) {
  function two(value) { return (value < 10 ? "0" : "") + value; }
  var seconds = Math.floor(Math.max(0, ms) / 1000);
  return Math.floor(seconds / 3600) + ":" + two(Math.floor(seconds / 60) % 60) + ":" + two(seconds % 60);
}

function age(ms) {
  if (ms === null) return "–";
  return ms < 10000 ? number(ms / 1000, 1) + " " + t("units.s") : duration(ms);
}

var FORMATS = {};

function formatted(ms, name, options) {
  var key = name + ZONE;
  if (!FORMATS[key]) {
    options.timeZone = ZONE;
    options.hour12 = false;
    FORMATS[key] = new Intl.DateTimeFormat("sv-SE", options);
  }
  return FORMATS[key].format(new Date(ms));
}

/* By the site's clocks, not the browser's. */
function dateText(ms) {
  return formatted(ms, "day", { year: "numeric", month: "2-digit", day: "2-digit" });
}

function timeText(ms) {
  return formatted(ms, "time", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function moment(ms) {
  return ms === null || ms === undefined ? "–" : dateText(ms) + " " + timeText(ms);
}

function bytes(count) {
  if (count < 1e6) return number(count / 1e3, 0) + " kB";
  return count < 1e9 ? number(count / 1e6, 1) + " MB" : number(count / 1e9, 2) + " GB";
}
