/* Connections: all of them, and one with its requests, its response times and what went wrong. */
"use strict";

/* By connection, what came of testing it: `busy`, then `result` or `failed`. */
var TESTS = {};

function connectionWord(one) {
  return !one.enabled ? "disabled" : one.open ? "open" : "closed";
}

function connectionHeading(tag, one, name) {
  var word = connectionWord(one);
  return h(tag, {}, name, h("span", { "class": "badge " + word }, t("connections." + word)), h("small", {}, one.driver + " · " + one.period_s + " s"));
}

function equipmentChips(one, overview) {
  var states = {};
  overview.machines.forEach(function (machine) { states[machine.id] = machine.state; });
  return h("p", { "class": "chips" }, one.equipment.map(function (id) {
    return h("a", { href: "#/machine/" + encodeURIComponent(id), title: t("states." + states[id]) },
      shape(states[id]), h("span", { "class": "unseen" }, t("states." + states[id])), id);
  }));
}

/* The slowest of all that were read: whoever waits, waits for that one. */
function slowest(one, name) {
  return one.responses.reduce(function (most, each) {
    return each.request === "read" && each[name] !== null ? Math.max(most, each[name]) : most;
  }, -1);
}

function seconds(value) {
  var ms = value < 1, shown = ms ? 1000 * value : value;
  return number(shown, shown < 10 && shown % 1 ? 1 : 0) + " " + (ms ? "ms" : t("units.s"));
}

function connectionNumbers(one) {
  var times = ["p50_s", "p99_s"].filter(function (name) { return slowest(one, name) >= 0; }).map(function (name) {
    return h("div", {}, h("b", {}, seconds(slowest(one, name))), h("span", {}, t("connections." + name)));
  });
  return h("div", { "class": "numbers" }, times, ["reads", "missed", "opened", "failures"].map(function (name) {
    var count = one[name === "missed" ? "missed_ticks" : name];
    return h("div", { "class": count && (name === "missed" || name === "failures") ? "wrong" : "" }, h("b", {}, number(count, 0)), h("span", {}, t("connections." + name)));
  }));
}

/* Drivers call their parts by English names; a unit of a bus has a word of ours. */
function subjectText(subject) {
  return subject ? subject.replace(/^unit /, t("detail.unit") + " ") : t("connections.itself");
}

/* Testing. */

function testButton(id) {
  var busy = TESTS[id] && TESTS[id].busy;
  return may("technician") && h("button", { type: "button", "class": "act", "data-test": id, disabled: busy, "aria-label": t("connections.test") + " " + id },
    t(busy ? "connections.testing" : "connections.test"));
}

function testNote(id) {
  var test = TESTS[id] || {}, result = test.result;
  return h("div", { role: "status" },
    test.failed && h("div", { "class": "trouble over" }, h("p", {}, test.failed)),
    result && h("div", { "class": "trouble " + (result.holds ? "well" : "lasts") },
      h("p", {}, h("b", {}, t(result.holds ? "connections.test_good" : "connections.test_bad")), " ", result.equipment && result.message ? machineLink(result.equipment) : "",
        " ", h("span", { "class": "quiet" }, moment(result.time_ms))),
      h("p", {}, title(result.text)),
      title(result.todo) && h("p", {}, h("b", {}, t("machine.remedy") + " "), title(result.todo)),
      result.message && h("p", { "class": "quiet" }, result.message),
      Object.keys(result.identity).length > 0 && h("details", {}, h("summary", {}, t("connections.identity")),
        facts(Object.keys(result.identity).map(function (name) { return [name, result.identity[name]]; })))));
}

function test(id) {
  TESTS[id] = { busy: true };
  render();
  ask("connections/" + encodeURIComponent(id) + "/test", { method: "POST" }).then(function (result) {
    TESTS[id] = { result: result };
  }, function (error) {
    TESTS[id] = { failed: failure(error) };
  }).then(render);
}

/* What is asked for, and what the other side made of it. */

function detailText(detail) {
  return Object.keys(detail).map(function (name) {
    var value = detail[name];
    if (name === "first") return "";
    if (name === "count" && detail.first !== undefined) {
      return tf("detail.addresses", { from: detail.first, to: detail.first + value - 1, n: value });
    }
    if (name === "table") return t("detail." + value);
    return t("detail." + name) + " " + (/_s$/.test(name) ? (typeof value === "number" ? seconds(value) : value + " " + t("units.s")) : value);
  }).filter(Boolean).join(" · ");
}

function requestTable(found) {
  if (!found.requests.length) return h("p", { "class": "quiet" }, t("connection.no_requests"));
  var granted = found.requests.some(function (one) { return Object.keys(one.granted).length > 0; });
  return table(t("connection.requests"), [[t("connections.equipment"), "keep"], [t("connection.request"), "wish"], [t("connections.period"), "num"]]
    .concat(granted ? [[t("connection.granted"), "wish"]] : [], [[t("connection.tags"), "names"]]),
  found.requests.map(function (one) {
    var asked = Object.keys(one.detail).length ? h("span", { title: one.what }, detailText(one.detail)) : one.what;
    return [machineLink(one.equipment), asked, seconds(one.period_s)]
      .concat(granted ? [detailText(one.granted)] : [], [h("details", {}, h("summary", {}, tf("connection.n_tags", { n: one.tags.length })), one.tags.join(", "))]);
  }));
}

/* One bar for each bucket, the highest as high as there is room. */
function bars(counts, bounds, label) {
  var most = Math.max.apply(null, counts);
  return h("span", { "class": "bars", role: "img", "aria-label": label }, counts.map(function (count, place) {
    var name = place < bounds.length ? "≤ " + seconds(bounds[place]) : "> " + seconds(bounds[bounds.length - 1]);
    return h("span", { title: name + ": " + number(count, 0) }, h("i", { style: { height: (count ? 6 + 94 * count / most : 0) + "%" } }));
  }));
}

function responseTable(found) {
  var responses = found.connection.responses;
  if (!responses.length) return h("p", { "class": "quiet" }, t("connection.no_answers"));
  var bounds = found.bounds_s, scale = seconds(bounds[0]) + " … " + seconds(bounds[bounds.length - 1]);
  return table(t("connection.responses"), [[t("connections.subject"), "keep"], [t("connection.request"), "keep"], [t("connection.answers"), "num"], ["p50", "num"], ["p99", "num"],
    [t("connection.spread") + " " + scale, "spread"]],
  responses.map(function (one) {
    var count = one.counts.reduce(function (sum, each) { return sum + each; }, 0);
    var of = subjectText(one.subject) + ", " + t("requests." + one.request);
    return [subjectText(one.subject), t("requests." + one.request), number(count, 0), one.p50_s === null ? "–" : seconds(one.p50_s), one.p99_s === null ? "–" : seconds(one.p99_s),
      bars(one.counts, bounds, of + ": " + tf("connection.n_answers", { n: number(count, 0) }))];
  }));
}

/* Requests that brought nothing, by kind: whatever a driver counts beside what is known to be good. */
function errorRows(one) {
  var good = { requests: 1, answers: 1 };
  return one.diagnostics.filter(function (each) { return !each.unit && !good[each.name] && each.value > 0; })
    .map(function (each) { return [subjectText(each.subject), t("diagnostics." + each.name), number(each.value, 0)]; });
}

function diagnosticTable(connection) {
  var subjects = [], names = [], cells = {};
  connection.diagnostics.forEach(function (one) {
    if (subjects.indexOf(one.subject) < 0) subjects.push(one.subject);
    if (names.indexOf(one.name) < 0) names.push(one.name);
    var unit = { By: " B", "": "" }[one.unit];
    cells[one.subject + "\n" + one.name] = number(one.value, one.unit ? (one.unit === "By" ? 0 : 1) : 0) + (unit === undefined ? " " + one.unit : unit);
  });
  if (!names.length) return h("p", { "class": "quiet" }, t("connections.no_diagnostics"));
  return table(t("connections.diagnostics"), [[t("connections.subject"), "keep"]].concat(names.map(function (name) { return [t("diagnostics." + name), "num"]; })),
    subjects.map(function (subject) {
      return [subjectText(subject)].concat(names.map(function (name) {
        var cell = cells[subject + "\n" + name];
        return cell === undefined ? h("span", { "class": "quiet" }, "·") : cell;
      }));
    }));
}

PAGES.connections = {
  needs: function () { return [["connections", 1500]]; },
  show: function (_, overview) {
    return [h("h1", {}, t("connections.title")), DATA.connections.map(function (one) {
      var name = h("a", { href: "#/connection/" + encodeURIComponent(one.id) }, one.id);
      return h("section", { "class": "panel connection c-" + connectionWord(one), "data-key": one.id },
        connectionHeading("h2", one, name),
        equipmentChips(one, overview),
        connectionNumbers(one),
        one.trouble && troubleNote(one.trouble),
        testNote(one.id),
        h("div", { "class": "more" }, testButton(one.id),
          h("details", {}, h("summary", {}, t("connections.diagnostics")), diagnosticTable(one))));
    })];
  }
};

PAGES.connection = {
  needs: function (id) { return [["connections/" + id, 1500]]; },
  show: function (key, overview) {
    var found = DATA["connections/" + key], one = found.connection, errors = errorRows(one);
    return [
      h("div", { "class": "title" }, connectionHeading("h1", one, one.id), testButton(one.id)),
      h("section", { "class": "panel connection c-" + connectionWord(one) }, equipmentChips(one, overview), connectionNumbers(one), one.trouble && troubleNote(one.trouble), testNote(one.id)),
      panel(t("connection.requests"), requestTable(found), { note: tf("connection.n_requests", { n: found.requests.length }) }),
      h("div", { "class": "columns" },
        h("div", { "class": "wide" },
          panel(t("connection.responses"), responseTable(found))),
        h("div", {},
          panel(t("connection.errors"), errors.length
            ? table(t("connection.errors"), [[t("connections.subject"), "keep"], [t("uplinks.kind")], [t("connection.count"), "num"]], errors)
            : h("p", { "class": "quiet" }, t("connection.no_errors"))))),
      panel(t("connections.diagnostics"), diagnosticTable(one))
    ];
  }
};

document.addEventListener("click", function (event) {
  var id = attribute(event, "data-test");
  if (id !== null && !(TESTS[id] && TESTS[id].busy)) test(id);
});
