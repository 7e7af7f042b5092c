/* The pages: each names what it needs to know, and makes what is shown of it. */
"use strict";

var FILTER = "";
var SEARCH = "";

/* Overview. */

function rateCard(one) {
  var figure = one.figures[0], definition = one.definition;
  return h("a", { "class": "rate", href: "#/indicator/" + definition.id, "data-key": definition.id },
    h("span", { "class": "rate-title" }, title(definition.title)),
    figure
      ? [h("span", { "class": "rate-figure" }, rateText(definition, figure), h("small", {}, rateUnit(definition))),
        h("span", { "class": "rate-count" },
          countText(definition, figure.numerator), h("i", {}, " / "), countText(definition, figure.denominator)),
        definition.unit !== "per_10000_employees" && meter(figure.rate),
        h("span", { "class": "quiet" }, figure.reason ? t("reasons." + figure.reason)
          : figure.unknown ? tf("overview.unknown_of", { n: figure.unknown }) : t("overview.no_unknown"))]
      : h("span", { "class": "quiet" }, t("overview.computing")),
    h("span", { "class": "rate-id" }, definition.id + " v" + definition.version));
}

function tile(machine, now) {
  var today = STATES.map(function (state) { return { name: state, size: machine.today[state] || 0 }; });
  var total = today.reduce(function (sum, one) { return sum + one.size; }, 0);
  var since = duration(now - machine.since_ms), ran = duration(machine.today.running || 0);
  var shares = today.map(function (one) { return (100 * one.size / total).toFixed(1); });
  var of = JSON.stringify([LANGUAGE, machine.name, machine.state, machine.cause, machine.link, machine.in_service, since, ran, shares]);
  return lazy("a", { "class": "tile " + machine.state + (machine.in_service ? "" : " retired"),
    href: "#/machine/" + encodeURIComponent(machine.id), "data-key": machine.id }, of, function () {
    return [
      h("span", { "class": "tile-head" }, h("b", {}, machine.id), linkTag(machine.link)),
      h("span", { "class": "tile-name" }, machine.name),
      h("span", { "class": "tile-state" }, stateTag(machine.state),
        h("span", { "class": "quiet" }, tf("overview.since", { time: since }))),
      h("span", { "class": "tile-cause" }, machine.in_service ? causeText(machine.state, machine.cause) : t("overview.retired")),
      stackedBar(today, t("overview.today") + ": " + t("states.running") + " " + ran)
    ];
  });
}

function stateFilter(states, total) {
  function button(name, label, count) {
    return h("button", { type: "button", "data-filter": name, "aria-pressed": FILTER === name ? "true" : "false" },
      name && shape(name), label, h("b", {}, count));
  }
  return h("div", { "class": "filters", role: "group", "aria-label": t("overview.filter") },
    button("", t("overview.all"), total),
    STATES.map(function (state) { return button(state, t("states." + state), states[state]); }));
}

function wall(overview) {
  var workshops = [];
  overview.machines.forEach(function (one) { if (workshops.indexOf(one.workshop) < 0) workshops.push(one.workshop); });
  return workshops.map(function (workshop) {
    var all = overview.machines.filter(function (one) { return one.workshop === workshop; });
    var shown = all.filter(function (one) { return !FILTER || one.state === FILTER; });
    return shown.length > 0 && h("div", { "class": "workshop", "data-key": workshop },
      h("h3", {}, workshop, h("small", {}, tf("overview.machines", { n: all.length }))),
      h("div", { "class": "tiles" }, shown.map(function (one) { return tile(one, overview.time_ms); })));
  });
}

function uplinkLine(one) {
  return h("li", { "class": one.state === "connected" ? "ok" : "wrong" }, h("a", { href: "#/uplinks" },
    h("b", {}, one.id), " ", t("uplink_states." + one.state)), h("span", { "class": "quiet" }, tf("overview.depth", { n: number(one.depth, 0) })));
}

PAGES.overview = {
  needs: function () { return []; },
  show: function (_, overview) {
    var inUse = overview.connections.filter(function (one) { return one.enabled; });
    var open = inUse.filter(function (one) { return one.open; });
    var parts = STATES.map(function (state) { return { name: state, size: overview.states[state] }; });
    var total = overview.machines.length;
    return [
      h("h1", { "class": "unseen" }, t("overview.title")),
      h("div", { "class": "rates" }, overview.indicators.map(rateCard)),
      h("div", { "class": "columns" },
        h("div", { "class": "wide" }, panel(t("overview.wall"), [
          stackedBar(parts, t("overview.states")), stateFilter(overview.states, total), wall(overview)
        ])),
        h("div", {},
          panel(t("overview.links"), h("ul", { "class": "ladder" }, LINKS.slice().reverse().map(function (link) {
            return h("li", {}, linkTag(link), meter(overview.links[link] / total), h("b", {}, overview.links[link]));
          }))),
          panel(t("overview.flow"), h("ul", { "class": "plain" },
            h("li", { "class": open.length === inUse.length ? "ok" : "wrong" },
              h("a", { href: "#/connections" }, tf("overview.open", { n: open.length, all: inUse.length })),
              h("span", { "class": "quiet" }, number(overview.readings, 0) + " " + t("overview.readings"))),
            overview.journal.over_limit && h("li", { "class": "wrong" }, h("a", { href: "#/uplinks" }, t("uplinks.over_limit"))),
            overview.journal.failure && h("li", { "class": "wrong" }, t("uplinks.failure") + ": " + overview.journal.failure),
            overview.uplinks.map(uplinkLine))),
          panel(t("overview.events"), overview.events.length
            ? h("ul", { "class": "events" }, overview.events.map(function (one) {
              return h("li", {}, h("time", {}, timeText(one.time)), h("div", {}, h("b", {}, t("events." + one.kind)), " ", one.subject, eventText(one)));
            }))
            : h("p", { "class": "quiet" }, t("overview.no_events")))))
    ];
  }
};

/* One indicator, machine by machine. */

function ruleFacts(one) {
  var definition = one.definition;
  return facts([
    [t("indicator.id"), code(definition.id + " v" + definition.version)],
    [t("indicator.standing"), t("standing." + one.standing)],
    [t("indicator.document"), one.document],
    [t("indicator.quote"), one.quote && h("q", {}, one.quote)],
    [t("indicator.without_quote"), one.without_quote],
    [t("indicator.denominator"), code(one.denominator)],
    [t("indicator.numerator"), code(one.numerator)],
    [t("indicator.connected"), one.connected && code(one.connected)],
    [t("indicator.digest"), digest(definition.digest)]
  ]);
}

function figureRows(definition, figures) {
  return figures.map(function (one) {
    return [
      one.scope.level === "line" ? h("span", { "class": "inner" }, one.scope.id) : h("b", {}, scopeText(one.scope)),
      [countText(definition, one.numerator) + " / " + countText(definition, one.denominator)],
      [h("b", {}, rateText(definition, one)), " ", h("small", {}, one.rate === null ? "" : rateUnit(definition))],
      one.reason ? h("small", {}, t("reasons." + one.reason)) : meter(one.rate),
      one.unknown
    ];
  });
}

function evidenceTable(heading, lines, windowed) {
  var columns = [[t("indicator.equipment"), "id"], [t("indicator.reason")], [t("indicator.state")], [t("indicator.link")],
    [t("indicator.last_good")]].concat(windowed ? [[t("indicator.good"), "num"]] : []);
  return h("div", {}, h("h3", {}, heading, h("small", {}, lines.length)), lines.length
    ? table(heading, columns, lines.map(function (one) {
      return [[machineLink(one.equipment), h("small", {}, one.workshop)], t("reasons." + one.reason), stateTag(one.state), linkTag(one.link),
        moment(one.last_good)].concat(windowed ? [number(one.good_readings, 0)] : []);
    }))
    : h("p", { "class": "quiet" }, t("indicator.none")));
}

function processTable(heading, lines) {
  var columns = [[t("indicator.process"), "id"], [t("indicator.reason")], [t("indicator.serving")]];
  return h("div", {}, h("h3", {}, heading, h("small", {}, lines.length)), lines.length
    ? table(heading, columns, lines.map(function (one) {
      return [[code(one.process), h("small", {}, one.workshop)], t("reasons." + one.reason), one.equipment.map(function (id, place) {
        return [place ? ", " : "", machineLink(id)];
      })];
    }))
    : h("p", { "class": "quiet" }, t("indicator.none")));
}

PAGES.indicator = {
  needs: function (id) { return [["indicators/" + id, 5000]]; },
  show: function (id) {
    var found = DATA["indicators/" + id];
    var one = found.indicator, definition = one.definition, figure = one.figures[0];
    var lines = definition.counts === "process" ? found.processes : found.equipment;
    var show = definition.counts === "process" ? processTable : evidenceTable;
    function group(heading, test) { return show(t("indicator." + heading), lines.filter(test), one.from_ms < one.time_ms); }
    return [
      h("div", { "class": "title" }, h("h1", {}, title(definition.title)), h("p", { "class": "big" },
        rateText(definition, figure), h("small", {}, rateUnit(definition)),
        h("span", {}, countText(definition, figure.numerator) + " / " + countText(definition, figure.denominator)))),
      h("div", { "class": "columns" },
        h("div", { "class": "wide" },
          panel(t("indicator.evidence"), [
            group("not_counted", function (l) { return l.in_denominator && !l.in_numerator; }),
            group("counted", function (l) { return l.in_numerator; }),
            group("outside", function (l) { return !l.in_denominator && !l.in_numerator; })
          ])),
        h("div", {},
          panel(t("indicator.definition"), ruleFacts(one)),
          panel(t("indicator.by_scope"), table(t("indicator.by_scope"), [[t("indicator.scope"), "scope"], [t("indicator.count"), "num"],
            [t("indicator.rate"), "num"], [h("span", { "class": "unseen" }, t("units.share")), "meter-cell"], [t("indicator.unknown"), "num"]], figureRows(definition, one.figures)),
          { note: moment(one.time_ms) }),
          panel(t("indicator.signature"), facts([["Ed25519", digest(found.signature)], [t("register.version"), digest(found.register_version)]]))))
    ];
  }
};

PAGES.indicators = {
  needs: function () { return [["indicators", 5000], ["statements", 60000]]; },
  show: function () {
    var names = {};
    DATA.indicators.forEach(function (one) { names[one.definition.id] = one.definition; });
    return [
      h("h1", {}, t("indicators.title")),
      panel(t("indicators.figures"), table(t("indicators.figures"),
        [[t("indicators.subject")], [t("indicator.standing")], [t("indicator.count"), "num"], [t("indicator.rate"), "num"], [h("span", { "class": "unseen" }, t("units.share")), "meter-cell"],
          [t("indicator.unknown"), "num"]],
        DATA.indicators.map(function (one) {
          var figure = one.figures[0];
          return [[h("a", { href: "#/indicator/" + one.definition.id }, title(one.definition.title)), h("small", {}, one.definition.id)],
            t("standing." + one.standing)].concat(figure ? figureRows(one.definition, [figure])[0].slice(1) : ["", "–", "", ""]);
        }))),
      panel(t("indicators.statements"), [monthButtons(DATA.statements), verificationNotes(), DATA.statements.length ? table(t("indicators.statements"),
        [[t("indicators.number"), "num"], [t("indicators.subject")], [t("indicators.period")], [t("indicators.from")],
          [t("indicator.count"), "num"], [t("indicator.rate"), "num"], [t("indicators.standing")], [t("indicators.digest")], [t("verification.result")]],
        DATA.statements.map(function (one) {
          var definition = names[one.subject] || { unit: "share" };
          return [one.number, code(one.subject), t("periods." + one.period), dateText(one.from_ms),
            one.figure ? countText(definition, one.figure.numerator) + " / " + countText(definition, one.figure.denominator) : "–",
            one.figure && one.figure.rate !== null ? rateText(definition, one.figure) + " " + rateUnit(definition) : "–",
            one.superseded_by === null ? t("indicators.valid") : tf("indicators.superseded", { n: one.superseded_by }), digest(one.digest),
            verificationMark(one)];
        })) : h("p", { "class": "quiet" }, t("indicators.no_statements"))])
    ];
  }
};

/* One machine. */

function dayOf(key) {
  return key.indexOf("/") < 0 ? "" : key.slice(key.indexOf("/") + 1);
}

function timeline(day, now) {
  var span = day.to_ms - day.from_ms, until = Math.min(now, day.to_ms), drawn = -1;
  var bars = [];
  day.intervals.forEach(function (one) {
    var from = Math.max(one.start_ms, day.from_ms), to = Math.min(one.end_ms === null ? until : one.end_ms, until);
    var x = 1440 * (from - day.from_ms) / span, width = 1440 * (to - from) / span;
    if (to <= from || (width < 0.25 && x < drawn)) return;
    drawn = x + 0.25;
    bars.push(h("rect", { x: x.toFixed(2), y: 0, width: Math.max(width, 0.6).toFixed(2), height: 40, "class": one.state },
      h("title", {}, timeText(from) + " – " + timeText(to) + "  " + t("states." + one.state) + " " + causeText(one.state, one.cause))));
  });
  var marks = [0, 3, 6, 9, 12, 15, 18, 21, 24];
  return h("div", { "class": "timeline" },
    h("svg", { viewBox: "0 0 1440 40", preserveAspectRatio: "none", role: "img", "aria-label": t("machine.timeline") },
      h("rect", { "class": "ground", x: 0, y: 0, width: 1440, height: 40 }), bars,
      marks.slice(1, -1).map(function (hour) {
        return h("line", { x1: 1440 * hour * 3600000 / span, x2: 1440 * hour * 3600000 / span, y1: 0, y2: 40 });
      }),
      now < day.to_ms && h("line", { "class": "present", x1: 1440 * (now - day.from_ms) / span, x2: 1440 * (now - day.from_ms) / span, y1: 0, y2: 40 })),
    h("div", { "class": "hours", "aria-hidden": "true" }, marks.map(function (hour) {
      return h("span", { "class": hour % 6 ? "minor" : "", style: { left: (100 * hour * 3600000 / span) + "%" } }, (hour < 10 ? "0" : "") + hour + ":00");
    })));
}

function account(day) {
  var total = day.times.reduce(function (sum, one) { return sum + one.ms; }, 0);
  return [
    stackedBar(day.times.map(function (one) { return { name: one.state, size: one.ms }; }), t("machine.account")),
    table(t("machine.account"), [[t("machine.state")], [t("machine.cause")], [t("machine.lasting"), "num"], [t("units.share"), "num"]],
      day.times.map(function (one) {
        return [stateTag(one.state), causeText(one.state, one.cause || ""), clock(one.ms), number(100 * one.ms / total, 1) + " %"];
      }))
  ];
}

function hourStrip(day) {
  var byHour = {}, cells = [], highest = 1;
  day.evidence.forEach(function (one) { byHour[one.hour_ms] = one; highest = Math.max(highest, one.good_readings); });
  for (var hour = day.from_ms; hour < day.to_ms; hour += 3600000) {
    var one = byHour[Math.floor(hour / 3600000) * 3600000], count = one ? one.good_readings : 0;
    cells.push(h("span", { title: timeText(hour).slice(0, 5) + "  " + tf("machine.readings", { n: number(count, 0) }) },
      h("i", { style: { height: (count ? 12 + 88 * count / highest : 0) + "%" } })));
  }
  var sum = day.evidence.reduce(function (all, e) { return all + e.good_readings; }, 0);
  return h("div", { "class": "strip", role: "img",
    "aria-label": t("machine.hours") + ": " + tf("machine.readings", { n: number(sum, 0) }) }, cells);
}

function keyFigures(day) {
  return h("ul", { "class": "figures" }, day.figures.map(function (one) {
    var why = one.missing.length ? one.missing.map(function (name) { return t("missing." + name); }).join(t("app.comma"))
      : one.reason && t("reasons." + one.reason);
    return h("li", { title: one.id + "  " + one.formula }, h("span", {}, title(one.title)),
      h("b", {}, one.value === null ? "–" : one.unit === "ms" ? duration(one.value) : one.unit ? number(one.value, 1) + " " + one.unit : number(100 * one.value, 1) + " %"),
      one.value === null && h("small", {}, why));
  }));
}

function dayPanels(day, now) {
  var latest = day.intervals.slice(-8).reverse();
  return [
    panel(t("machine.account"), account(day), { note: t("machine.of_day") }),
    panel(t("machine.changes"), table(t("machine.changes"), [[t("machine.from")], [t("machine.state")], [t("machine.cause")], [t("machine.lasting"), "num"]],
      latest.map(function (one) {
        return [timeText(one.start_ms), stateTag(one.state), causeText(one.state, one.cause), clock((one.end_ms === null ? now : one.end_ms) - one.start_ms)];
      }))),
    day.alarms.length > 0 && panel(t("machine.alarms"), table(t("machine.alarms"), [[t("machine.cause")], [t("machine.times"), "num"], [t("machine.lasting"), "num"]],
      day.alarms.map(function (one) { return [one.cause || "–", one.count, clock(one.ms)]; })))
  ];
}

function valueText(value) {
  var text = Array.isArray(value) ? "[" + value.join(", ") + "]" : value === null ? "–"
    : typeof value === "boolean" ? (value ? "true" : "false") : typeof value === "number" ? number(value) : value;
  return text.length > 80 ? text.slice(0, 80) + "…" : text;
}

function tagTable(found) {
  if (!found.tags.length) return h("p", { "class": "quiet" }, t("machine.no_tags"));
  return table(t("machine.tags"), [[t("machine.tag")], [t("machine.value"), "num"], [t("machine.quality")], [t("machine.source"), "time"], [t("machine.received"), "time"]],
    found.tags.map(function (one) {
      return [h("span", {}, code(one.id), one.description && h("small", {}, one.description)),
        [h("b", {}, valueText(one.value)), one.unit && h("small", {}, " " + one.unit)],
        h("span", { "class": "quality q-" + (one.quality || "none") }, t("quality." + one.quality), one.reason && h("small", {}, one.reason)),
        one.source_ms === null ? h("span", { "class": "quiet" }, one.received_ms === null ? "–" : t("machine.no_source")) : timeText(one.source_ms),
        one.received_ms === null ? "–" : timeText(one.received_ms)];
    }));
}

function registerFacts(one) {
  return facts(["name", "workshop", "line", "kind", "nc_ground", "connect_reason", "commissioned", "retired", "calendar", "handle", "tenant"]
    .map(function (name) { return [t("register." + name), one[name]]; })
    .concat(["production", "digital", "nc", "should_connect", "key", "robot"].map(function (name) {
      return [t("register." + name), t(one[name] ? "app.yes" : "app.no")];
    })).concat([[t("register.processes"), one.processes.join(", ")]]));
}

PAGES.machine = {
  needs: function (key) {
    var id = key.split("/")[0], date = dayOf(key);
    return [["machines/" + id, 700], ["machines/" + id + "/day" + (date ? "?date=" + date : ""), date ? 3600000 : 10000]];
  },
  show: function (key, overview) {
    var urls = this.needs(key).map(function (one) { return one[0]; });
    var found = DATA[urls[0]], day = DATA[urls[1]], one = found.machine;
    var today = dateText(overview.time_ms), shown = day && day.day ? day.day : dayOf(decodeURIComponent(key)) || today;
    function other(days) { return new Date(Date.parse(shown + "T12:00:00Z") + days * 86400000).toISOString().slice(0, 10); }
    var base = "#/machine/" + encodeURIComponent(one.id);
    var picker = h("span", { "class": "picker" },
      h("a", { href: base + "/" + other(-1), "aria-label": t("machine.previous") }, "‹"), h("b", {}, shown),
      shown < today ? h("a", { href: other(1) < today ? base + "/" + other(1) : base, "aria-label": t("machine.next") }, "›") : h("span", {}, " "));
    var unread = day && day.error;
    return [
      h("div", { "class": "title" },
        h("h1", {}, one.id, h("small", {}, one.name)),
        h("p", { "class": "now" }, stateTag(one.state), causeText(one.state, one.cause) && h("span", {}, causeText(one.state, one.cause)),
          h("span", { "class": "quiet" }, tf("overview.since", { time: duration(overview.time_ms - one.since_ms) })), linkTag(one.link),
          h("span", { "class": "quiet" }, t("machine.age") + " " + age(one.age_ms)))),
      panel(t("machine.timeline"), unread ? h("p", { "class": "quiet" }, t("machine.no_history")) : timeline(day, overview.time_ms), { more: picker }),
      h("div", { "class": "columns" },
        h("div", { "class": "wide" },
          panel(t("machine.tags"), tagTable(found)),
          !unread && dayPanels(day, overview.time_ms)),
        h("div", {},
          panel(t("machine.error"), found.trouble || found.connection_trouble
            ? [found.trouble && troubleNote(found.trouble), found.connection_trouble && troubleNote(found.connection_trouble, t("machine.of_connection") + " " + one.connection)]
            : h("p", { "class": "quiet" }, t("machine.no_error"))),
          panel(t("machine.link"), [
            !unread && [h("p", { "class": "quiet" }, t("machine.hours")), hourStrip(day)],
            table(t("machine.counted"), [[t("machine.counted")], [t("indicator.reason")]], found.counted.map(function (each) {
              return [h("a", { href: "#/indicator/" + each.definition.id }, title(each.definition.title)),
                h("span", { "class": each.evidence.in_numerator ? "ok" : "no" }, t("reasons." + each.evidence.reason))];
            }))
          ]),
          !unread && panel(t("machine.figures"), keyFigures(day)),
          panel(t("machine.register"), [facts([[t("machine.connection"), one.connection && h("a", { href: "#/connection/" + encodeURIComponent(one.connection) }, one.connection)],
            [t("machine.driver"), found.driver], [t("machine.period"), found.period_s && found.period_s + " s"]]), registerFacts(found.register)])))
    ];
  }
};

/* Uplinks, the register. */

PAGES.uplinks = {
  needs: function () { return [["uplinks", 1500], ["journal", 1500], ["events", 3000]]; },
  show: function () {
    var journal = DATA.journal;
    return [
      h("h1", {}, t("uplinks.title")),
      DATA.uplinks.length ? DATA.uplinks.map(function (one) {
        var word = one.state === "connected" ? "open" : "closed";
        return h("section", { "class": "panel connection c-" + word, "data-key": one.id },
          h("h2", {}, one.id, h("span", { "class": "badge " + word }, t("uplink_states." + one.state)), h("small", {}, one.type)),
          h("p", { "class": "chips" }, one.carries.map(function (name) { return h("span", {}, t("carries." + name)); })),
          h("div", { "class": "numbers" },
            [["depth", one.depth], ["acknowledged", one.acknowledged], ["last", one.last]].map(function (pair) {
              return h("div", {}, h("b", {}, number(pair[1], 0)), h("span", {}, t("uplinks." + pair[0])));
            }),
            Object.keys(one.statistics).map(function (name) {
              return h("div", {}, h("b", {}, number(one.statistics[name], 0)), h("span", {}, t("statistics." + name)));
            })),
          one.last_error && h("div", { "class": "trouble " + (one.state === "connected" ? "over" : "lasts") },
            h("p", {}, h("b", {}, t("uplink_means." + one.state))),
            h("p", {}, h("b", {}, t("machine.remedy") + " "), t("uplink_todo." + one.state)), h("p", { "class": "quiet" }, one.last_error)));
      }) : panel("", h("p", { "class": "quiet" }, t("uplinks.none"))),
      h("section", { "class": "panel connection c-" + (journal.failure ? "closed" : "open") },
        h("h2", {}, t("uplinks.journal"), h("span", { "class": "badge " + (journal.failure ? "closed" : "open") }, t(journal.failure ? "uplinks.failure" : "uplinks.healthy"))),
        h("div", { "class": "numbers" }, [["recorded", number(journal.recorded, 0)], ["dropped", number(journal.dropped, 0), journal.dropped > 0], ["size", bytes(journal.size_bytes), journal.over_limit]].map(function (pair) {
          return h("div", { "class": pair[2] ? "wrong" : "" }, h("b", {}, pair[1]), h("span", {}, t("uplinks." + pair[0])));
        })),
        journal.over_limit && h("div", { "class": "trouble lasts" }, h("p", {}, h("b", {}, t("uplinks.over_limit"))), h("p", {}, h("b", {}, t("machine.remedy") + " "), t("uplinks.over_limit_todo"))),
        journal.failure && h("div", { "class": "trouble lasts" }, h("p", {}, h("b", {}, t("machine.remedy") + " "), t("uplinks.failure_todo")), h("p", { "class": "quiet" }, journal.failure))),
      panel(t("uplinks.events"), table(t("uplinks.events"), [[t("uplinks.time")], [t("uplinks.kind")], [t("uplinks.subject")], [t("uplinks.message")]], eventRows(DATA.events)))
    ];
  }
};

PAGES.register = {
  needs: function () { return [["register", 60000]]; },
  show: function () {
    var register = DATA.register, wanted = SEARCH.toLowerCase();
    function mark(value) { return value ? h("span", { "class": "ok" }, t("app.yes")) : h("span", { "class": "quiet" }, t("app.no")); }
    var shown = register.equipment.filter(function (one) {
      return [one.id, one.name, one.workshop, one.line, one.kind].join(" ").toLowerCase().indexOf(wanted) >= 0;
    });
    return [
      h("h1", {}, t("register.title"), h("small", {}, tf("overview.machines", { n: register.equipment.length }))),
      panel("", [
        h("p", { "class": "search" }, h("label", { "for": "search" }, t("register.search")), h("input", { id: "search", type: "search", autocomplete: "off" }),
          h("span", { "class": "quiet" }, t("register.version") + " ", digest(register.version), register.headcount !== null && " · " + t("register.headcount") + " " + register.headcount)),
        table(t("register.title"), [[t("register.id")], [t("register.name")], [t("register.workshop")], [t("register.line")], [t("register.kind")],
          [t("register.production")], [t("register.digital")], [t("register.nc")], [t("register.nc_ground")], [t("register.should_connect")],
          [t("register.connect_reason")], [t("register.key")], [t("register.processes")], [t("register.commissioned")], [t("register.retired")]],
        shown.map(function (one) {
          return [machineLink(one.id), one.name, one.workshop, one.line, one.kind, mark(one.production), mark(one.digital), mark(one.nc), one.nc_ground,
            mark(one.should_connect), one.connect_reason, mark(one.key), one.processes.join(", "), one.commissioned || "–", one.retired || "–"];
        }))
      ]),
      register.processes.length > 0 && panel(t("register.processes"), table(t("register.processes"),
        [[t("register.id")], [t("register.process")], [t("register.workshop")], [t("register.key_process")], [t("register.control")]],
        register.processes.map(function (one) { return [code(one.id), one.name, one.workshop, mark(one.key), one.control.toUpperCase() || "–"]; })))
    ];
  }
};
