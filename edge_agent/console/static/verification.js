/* Statements verified at somebody's wish, a month at a time. */
"use strict";

/* By month, what came of it: `busy`, then `result` or `failed`. */
var VERIFIED = {};

function monthOf(statement) {
  return dateText(statement.from_ms).slice(0, 7);
}

function monthButtons(statements) {
  var months = [];
  statements.forEach(function (one) { if (months.indexOf(monthOf(one)) < 0) months.push(monthOf(one)); });
  return months.length > 0 && h("p", { "class": "acts" }, months.map(function (month) {
    var busy = VERIFIED[month] && VERIFIED[month].busy;
    return h("button", { type: "button", "class": "act", "data-verify": month, disabled: busy, "data-key": month },
      tf(busy ? "verification.busy" : "verification.verify", { month: month }));
  }));
}

function verificationNotes() {
  return h("div", { role: "status" }, Object.keys(VERIFIED).map(function (month) {
    var one = VERIFIED[month], result = one.result;
    if (one.failed) return h("div", { "class": "trouble over" }, h("p", {}, h("b", {}, month + " "), one.failed));
    if (!result) return null;
    var wrong = result.statements.filter(function (each) { return each.wrong.length > 0; }).length;
    var checks = Object.keys(result.checks).map(function (name) { return t("checks." + name) + " " + number(result.checks[name], 0); });
    return h("div", { "class": "trouble " + (result.holds ? "well" : "lasts") },
      h("p", {}, h("b", {}, month + " "), !result.statements.length ? t("verification.none") : result.holds ? tf("verification.all_right", { n: result.statements.length })
        : tf("verification.some_wrong", { n: result.statements.length, wrong: wrong }), " ", h("span", { "class": "quiet" }, moment(result.time_ms))),
      !result.holds && h("p", {}, h("b", {}, t("machine.remedy") + " "), t("verification.todo")),
      checks.length > 0 && h("p", { "class": "quiet" }, t("verification.checked") + " " + checks.join(t("app.comma"))),
      result.left.length > 0 && h("p", { "class": "quiet" }, t("verification.left") + " " + result.left.join("; ")),
      result.texts.map(function (text) { return h("p", {}, text); }));
  }));
}

function verificationMark(statement) {
  var month = VERIFIED[monthOf(statement)];
  var found = month && month.result && month.result.statements.filter(function (one) { return one.number === statement.number; })[0];
  if (!found) return h("span", { "class": "quiet" }, "–");
  if (!found.wrong.length) return h("span", { "class": "ok" }, t("verification.right"));
  return h("div", {}, h("b", { "class": "quality q-bad" }, tf("verification.wrong", { what: found.wrong.map(function (name) { return t("checks." + name); }).join(t("app.comma")) })),
    h("details", {}, h("summary", {}, t("verification.detail")), found.texts.map(function (text) { return h("p", {}, text); })));
}

function verify(month) {
  VERIFIED[month] = { busy: true };
  render();
  ask("statements/verification?month=" + month, { method: "POST" }).then(function (result) {
    VERIFIED[month] = { result: result };
  }, function (error) {
    VERIFIED[month] = { failed: failure(error) };
  }).then(render);
}

document.addEventListener("click", function (event) {
  var month = attribute(event, "data-verify");
  if (month !== null && !(VERIFIED[month] && VERIFIED[month].busy)) verify(month);
});
