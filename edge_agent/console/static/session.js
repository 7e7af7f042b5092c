/* Who is signed in, and asking the agent on their behalf. */
"use strict";

var SESSION = null;
var SIGN_IN = { failed: "", busy: false };
var ACTIVE_AT = Date.now();
var TOUCHED_AT = 0;
var ACTIVE_FOR_MS = 60000;

/* Ask below api/v1: the answer's data, or a rejection with `status` and the agent's own words. Whatever changes
   something, or has it tried out, is sent with `body` or `method: "POST"`; only then may a foreign page not have
   sent it. While nobody touches the page, asking does not keep them signed in. */
function ask(url, options) {
  options = options || {};
  var headers = {}, method = options.method || (options.body === undefined ? "GET" : "POST");
  if (Date.now() - ACTIVE_AT > ACTIVE_FOR_MS) headers["X-Background"] = "1";
  if (method !== "GET") headers["X-CSRF-Token"] = SESSION.csrf;
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  return fetch("api/v1/" + url, {
    method: method, headers: headers, credentials: "same-origin",
    body: options.body === undefined ? undefined : JSON.stringify(options.body)
  }).then(function (response) {
    if (response.status === 401 && url !== "sign-in") learnSession();
    return response.json().then(function (data) {
      if (response.ok) return data;
      var error = new Error(data.error);
      error.status = response.status;
      error.data = data;
      error.retryAfter = Number(response.headers.get("Retry-After"));
      throw error;
    });
  });
}

/* Whether whoever is signed in may do what takes `role`: "viewer" or "technician". */
function may(role) {
  return !!SESSION && (SESSION.role === role || SESSION.role === "technician");
}

function signedIn() {
  return !!SESSION && SESSION.role !== "";
}

function learnSession() {
  return ask("session").then(takeSession, function () { /* the live stream says that the agent is away */ });
}

function takeSession(session) {
  var was = signedIn(), before = SESSION ? SESSION.user : "";
  SESSION = session;
  if (was && (!signedIn() || before !== session.user)) forget();
  if (!was && signedIn()) { follow(); moved(); }
  render();
}

function signInForm() {
  return h("form", { "class": "panel sign-in", "data-sign-in": true, "data-key": "sign-in" },
    h("h1", {}, t("session.sign_in")),
    SESSION.by_password ? [
      h("label", { "for": "user" }, t("session.user")),
      h("input", { id: "user", name: "user", type: "text", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true }),
      h("label", { "for": "password" }, t("session.password")),
      h("input", { id: "password", name: "password", type: "password", autocomplete: "current-password", required: true }),
      h("p", { "class": "failed", role: "alert" }, SIGN_IN.failed),
      h("button", { type: "submit", "class": "main", disabled: SIGN_IN.busy }, t("session.sign_in"))
    ] : h("p", {}, t("session.by_proxy")));
}

/* In the corner of the bar: who it is, and the way out. */
function sessionCorner() {
  if (!SESSION || !SESSION.needed || !signedIn()) return null;
  return [h("span", { "class": "who" }, SESSION.user, h("small", {}, t("roles." + SESSION.role))),
    SESSION.by_password && h("button", { type: "button", "data-sign-out": true }, t("session.sign_out"))];
}

function failure(error) {
  if (error.status === 429) return tf("session.wait", { time: duration(1000 * (error.retryAfter || 1)) });
  return error.status === 401 ? t("session.wrong") : tf("app.failed", { error: error.message });
}

function signIn(form) {
  if (SIGN_IN.busy) return;
  SIGN_IN = { failed: "", busy: true };
  render();
  ask("sign-in", { body: { user: form.elements.user.value, password: form.elements.password.value } })
    .then(function (session) {
      SIGN_IN = { failed: "", busy: false };
      form.elements.password.value = "";
      takeSession(session);
      document.getElementById("main").focus();
    }, function (error) {
      SIGN_IN = { failed: failure(error), busy: false };
      form.elements.password.value = "";
      render();
      form.elements.password.focus();
    });
}

document.addEventListener("submit", function (event) {
  event.preventDefault();
  if (event.target.hasAttribute("data-sign-in")) signIn(event.target);
});

document.addEventListener("click", function (event) {
  if (attribute(event, "data-sign-out") !== null) ask("sign-out", { method: "POST" }).then(takeSession, learnSession);
});

["pointerdown", "keydown", "wheel", "touchstart"].forEach(function (kind) {
  document.addEventListener(kind, function () {
    ACTIVE_AT = Date.now();
    if (!SESSION || !SESSION.needed || !signedIn() || ACTIVE_AT - TOUCHED_AT < ACTIVE_FOR_MS) return;
    TOUCHED_AT = ACTIVE_AT;
    learnSession();
  }, { passive: true });
});
