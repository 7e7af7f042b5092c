/* Log and Configuration: what a technician asks of the agent itself. */
"use strict";

var LOG = { level: "info", part: "", subject: "", text: "", shown: null };
var LEVELS = ["error", "warning", "info", "debug"];
var LOG_PARTS = ["connections", "uplinks", "journal", "page", "agent", "libraries"];
/* `busy`: "validate" or "apply" while that is being done; `asking`: whether apply is asked for once more; `cut`:
   whether the page went away while it was applied. */
var VALIDATION = { busy: "", found: null, asking: false, applied: null, cut: false, failed: "" };

/* The log. */

function logUrl() {
  return "logs?" + ["level", "part", "subject", "text"].map(function (name) {
    return name + "=" + encodeURIComponent(LOG[name]);
  }).join("&");
}

function choice(name, label, options, key) {
  return h("span", { "class": "field" }, h("label", { "for": "log-" + name }, label),
    h("select", { id: "log-" + name, "data-log": name, "data-key": key || null }, options.map(function (pair) {
      return h("option", { value: pair[0], selected: LOG[name] === pair[0] }, pair[1]);
    })));
}

function logFilters(overview) {
  function ids(list) { return list.map(function (one) { return [one.id, one.id]; }); }
  return h("div", { "class": "search log-filters" },
    choice("level", t("logs.level"), LEVELS.map(function (level) {
      return [level, t("levels." + level) + (level === "error" || level === "debug" ? "" : " +")];
    })),
    choice("part", t("logs.part"), [["", t("overview.all")]].concat(LOG_PARTS.map(function (part) { return [part, t("parts." + part)]; }))),
    choice("subject", t("logs.subject"), [["", t("overview.all")]].concat(ids(overview.connections), ids(overview.uplinks), ids(overview.machines)), "subjects"),
    h("span", { "class": "field" }, h("label", { "for": "log-text" }, t("logs.text")),
      h("input", { id: "log-text", "data-log": "text", type: "search", autocomplete: "off", maxlength: 100 })));
}

function logRows(lines) {
  return h("ol", { "class": "log" }, lines.map(function (line) {
    return h("li", { "class": "l-" + line.level, "data-key": line.number },
      h("time", { title: moment(line.time_ms) }, timeText(line.time_ms)),
      h("span", { "class": "level" }, t("levels." + line.level)),
      h("span", { "class": "quiet" }, t("parts." + line.part)),
      h("p", {}, line.text));
  }));
}

PAGES.logs = {
  patient: true,
  needs: function () { return [[logUrl(), 1500]]; },
  show: function (_, overview) {
    var url = logUrl();
    if (DATA[url] && DATA[url].lines) {
      if (LOG.url && LOG.url !== url) delete DATA[LOG.url];
      LOG.url = url;
      LOG.shown = DATA[url];
    }
    return [
      h("h1", {}, t("logs.title"), LOG.shown && h("small", {}, tf("logs.kept", { n: number(LOG.shown.kept, 0) }))),
      panel("", [logFilters(overview), !LOG.shown ? loading()
        : LOG.shown.lines.length ? h("div", { "class": "scroll", tabindex: "0", role: "region", "aria-label": t("logs.title") }, logRows(LOG.shown.lines))
          : h("p", { "class": "quiet" }, t("logs.none"))])
    ];
  }
};

/* The configuration. */

function shortName(file) {
  return file.slice(file.lastIndexOf("/") + 1);
}

/* As YAML has it: the first key of an item stands beside its dash. */
function configurationLines(lines, files) {
  var dash = "", rows = [], file = "";
  lines.forEach(function (one) {
    if (one.label === "-" && one.value === "") {
      dash += "- ";
      return;
    }
    var depth = one.depth - dash.length / 2, hidden = one.value === "***" || /^(file:|\${)/.test(one.value);
    if (files > 1 && one.depth === 0 && one.file !== file) {
      file = one.file;
      rows.push(h("li", { "class": "file" }, h("span", { "class": "nr" }), h("span", {}, "# " + shortName(file))));
    }
    rows.push(h("li", {}, h("span", { "class": "nr", "aria-hidden": "true" }, one.line),
      h("span", { style: { "padding-left": (depth * 18) + "px" } }, dash, one.label === "-" ? "- " : [h("b", {}, one.label), ": "],
        hidden ? h("i", { title: t("configuration.hidden") }, one.value) : one.value)));
    dash = "";
  });
  return h("ol", { "class": "yaml" }, rows);
}

function place(one) {
  return one.file && h("span", { title: one.file }, code(shortName(one.file) + (one.line ? ":" + one.line : "")));
}

function changeText(one) {
  if (one.secret && one.before === one.after) return t("configuration.secret_changed");
  if (one.before === null) return [h("b", {}, t("configuration.added")), " ", one.after];
  if (one.after === null) return [h("b", {}, t("configuration.removed")), " ", one.before];
  return [h("s", {}, one.before), " → ", h("b", {}, one.after)];
}

/* The list of mistakes. */
function mistakeTable(mistakes) {
  return table(t("configuration.mistake"), [[t("configuration.place"), "keep"], [t("configuration.field"), "id"], [t("configuration.mistake")]],
    mistakes.map(function (one) { return [place(one), code(one.field), one.text]; }));
}

function validation(found) {
  var wrong = found.mistakes.length > 0;
  var columns = [[t("configuration.place"), "keep"], [t("configuration.field"), "id"], [t("configuration.change")]];
  return h("div", { "class": "trouble " + (wrong ? "lasts" : "over"), role: "status" },
    h("p", {}, h("b", {}, wrong ? tf("configuration.mistakes", { n: found.mistakes.length })
      : found.changes.length ? tf("configuration.changes", { n: found.changes.length }) : t("configuration.same")), " ",
    h("span", { "class": "quiet" }, moment(found.time_ms))),
    wrong && mistakeTable(found.mistakes),
    !wrong && found.changes.length > 0 && [table(t("configuration.change"), columns, found.changes.map(function (one) {
      return [place(one), code(one.field), changeText(one)];
    })), h("p", { "class": "quiet" }, found.needs_restart.length
      ? tf("configuration.needs_restart", { fields: found.needs_restart.join(", ") }) : t("configuration.not_applied")),
    !found.needs_restart.length && applying()],
    found.left_out > 0 && h("p", {}, tf("configuration.left_out", { n: found.left_out })));
}

/* The button, and the question before it is done. */
function applying() {
  if (VALIDATION.busy === "apply") return h("p", { "class": "act" }, t("configuration.applying"));
  if (!VALIDATION.asking) {
    return h("p", { "class": "act" }, h("button", { type: "button", "data-apply": "ask" }, t("configuration.apply")));
  }
  return h("div", { role: "group", "aria-label": t("configuration.apply") },
    h("p", {}, t("configuration.sure")),
    h("p", { "class": "act" },
      h("button", { type: "button", "class": "main", "data-apply": "yes" }, t("configuration.apply_now")), " ",
      h("button", { type: "button", "data-apply": "no" }, t("configuration.cancel"))));
}

function changedIds(of, changed) {
  return ["added", "removed", "altered"].map(function (how) {
    return changed[how].length > 0 && h("li", {}, t("configuration." + of) + ", " + t("configuration." + how) + ": ", code(changed[how].join(", ")));
  });
}

function application(done) {
  var changes = [changedIds("connections", done.connections), changedIds("uplinks", done.uplinks),
    done.sections.length > 0 && h("li", {}, t("configuration.sections") + ": ", code(done.sections.join(", ")))];
  return h("div", { "class": "trouble " + (done.taken ? "over" : "lasts"), role: "status" },
    h("p", {}, h("b", {}, t(done.taken ? "configuration.taken" : "configuration.kept")), " ", h("span", { "class": "quiet" }, moment(done.time_ms))),
    done.taken && h("ul", {}, changes),
    done.mistakes.length > 0 && mistakeTable(done.mistakes),
    done.refusal && h("p", {}, done.refusal),
    done.left_out > 0 && h("p", {}, tf("configuration.left_out", { n: done.left_out })));
}

/* What is known of the files now, and nothing of what was known before. */
function known(what) {
  VALIDATION = { busy: "", found: null, asking: false, applied: null, cut: false, failed: "" };
  Object.keys(what).forEach(function (name) { VALIDATION[name] = what[name]; });
  render();
}

function validate() {
  if (VALIDATION.busy) return;
  known({ busy: "validate", found: VALIDATION.found });
  ask("configuration/validate", { method: "POST" }).then(function (found) { known({ found: found }); },
    function (error) { known({ failed: error.message }); });
}

function apply() {
  var found = VALIDATION.found;
  if (VALIDATION.busy || !found) return;
  known({ busy: "apply", found: found });
  ask("configuration/apply", { body: { digest: found.digest } }).then(function (done) { known({ applied: done }); },
    // Without an answer the page itself was changed, and comes back.
    function (error) { known(error.status && error.status !== 503 ? { failed: error.message } : { cut: true }); });
}

PAGES.configuration = {
  needs: function () {
    var old = OVERVIEW && DATA.configuration && DATA.configuration.digest !== OVERVIEW.gateway.configuration;
    return [["configuration", old ? 1000 : 60000]];
  },
  show: function () {
    var found = DATA.configuration;
    return [
      h("h1", {}, t("configuration.title")),
      panel(t("configuration.files"), [
        table(t("configuration.files"), [[t("configuration.file")], ["SHA-256"]], found.files.map(function (one) { return [code(one.file), digest(one.sha256)]; })),
        h("p", { "class": "act" }, may("technician")
          ? h("button", { type: "button", "class": "main", "data-validate": true, disabled: !!VALIDATION.busy }, t(VALIDATION.busy === "validate" ? "configuration.validating" : "configuration.validate"))
          : h("span", { "class": "quiet" }, t("configuration.for_technicians")),
        may("technician") && h("span", { "class": "quiet" }, t("configuration.what_it_does"))),
        VALIDATION.failed && h("p", { "class": "trouble lasts", role: "alert" }, tf("app.failed", { error: VALIDATION.failed })),
        VALIDATION.cut && h("p", { "class": "trouble lasts", role: "status" }, t("configuration.cut")),
        VALIDATION.applied && application(VALIDATION.applied),
        VALIDATION.found && validation(VALIDATION.found)
      ]),
      panel(t("configuration.running"), [
        h("div", { "class": "scroll", tabindex: "0", role: "region", "aria-label": t("configuration.running") }, configurationLines(found.lines, found.files.length - 1)),
        found.left_out > 0 && h("p", { "class": "quiet" }, tf("configuration.left_out", { n: found.left_out }))
      ], { note: tf("configuration.since", { time: moment(found.read_ms), digest: found.digest.slice(0, 12) }) })
    ];
  }
};

function takeFilter(event) {
  var name = event.target.getAttribute("data-log");
  if (!name) return;
  LOG[name] = event.target.value;
  moved();
}

document.addEventListener("input", takeFilter);
document.addEventListener("change", takeFilter);
document.addEventListener("click", function (event) {
  var answer = attribute(event, "data-apply");
  if (attribute(event, "data-validate") !== null) validate();
  if (answer === "yes") apply();
  else if (answer) known({ found: VALIDATION.found, asking: answer === "ask" });
});
