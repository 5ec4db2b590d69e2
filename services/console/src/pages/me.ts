import { leastPasswordCharacters } from "@heliograph/contracts";
import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Problem } from "../client.ts";
import { base, shown, type Led, type Page, type Shown, type Visit } from "../page.ts";
import { acted, once } from "../view/forms.ts";
import { bdi, curls, facts, field, refusal } from "../view/parts.ts";

const section = "/me";
const home = `${base}/me`;

/** As an app shows it. */
const totp = { totp: "123456" };

const code = (id: string, label: string, hint: string): Html =>
  field({ id, name: "totp", label, hint, autocomplete: "one-time-code" });

const codeForm = (visit: Visit, action: string, label: string, fields: Html): Html =>
  html`<form class="sheet" method="post" action="${home}/${action}">${once(visit)}${fields}<div class="actions"><button class="main" type="submit">${label}</button></div></form>`;

const codesOf = (visit: Visit, on: boolean): Html =>
  html`<section aria-labelledby="codes"><h2 id="codes">Codes</h2>
${
  on
    ? html`<p>Signing in takes your password and six digits of your app.</p>
${codeForm(visit, "totp", "Set up another app", code("present", "Code of the present app", "Or a recovery code."))}
${codeForm(
  visit,
  "totp/off",
  "Turn codes off",
  html`${field({ name: "password", label: "Password", type: "password", required: true, autocomplete: "current-password" })}${code("last", "Code", "Of the app, or a recovery code.")}`,
)}`
    : html`<p>Signing in takes your password alone. With codes, whoever learns it gets no further without your phone.</p>
${codeForm(visit, "totp", "Set up codes", html`<p class="hint">You get a secret for an app of yours, and recovery codes for the day on which the phone is lost.</p>`)}`
}
<details${visit.query.has("setup") && html` open`}><summary>I have entered the secret into my app</summary>${codeForm(visit, "totp/confirm", "Codes from now on", code("first", "First code", "Six digits that the app shows now."))}</details></section>`;

async function me(visit: Visit, problem?: Problem): Promise<Shown> {
  const found = await visit.api.get<Answers["Me"]>("/me");
  return shown(
    "Your account",
    html`${problem !== undefined && refusal(problem)}
${facts([
  ["Name", bdi(found.name)],
  ["E-mail", bdi(found.email)],
  ["Partner", bdi(found.partner.name)],
  ["Role", found.role],
  ["Works in", found.environments.join(", ")],
  ["Codes", found.totp ? "asked for when you sign in" : "not set up"],
])}
<section aria-labelledby="password"><h2 id="password">Password</h2>
<form class="sheet" method="post" action="${home}/password">${once(visit)}<div class="row">
${field({ name: "current", label: "Password now", type: "password", required: true, autocomplete: "current-password" })}
${field({ name: "new", label: "New password", type: "password", required: true, autocomplete: "new-password", hint: `${leastPasswordCharacters} characters at least. Everywhere else you are signed out.` })}</div>
<div class="actions"><button class="main" type="submit">Change it</button></div></form></section>
${codesOf(visit, found.totp)}
${curls(visit, [
  ["This page", "GET", "/me"],
  ["Change it", "PUT", "/me/password", { current: "…", new: "…" }],
  [found.totp ? "Set up another app" : "Set up codes", "POST", "/me/totp", found.totp ? totp : {}],
  ["Codes from now on", "POST", "/me/totp/confirm", totp],
  ...(found.totp
    ? ([["Turn codes off", "DELETE", "/me/totp", { password: "…", ...totp }]] as const)
    : []),
])}`,
    problem?.status,
  );
}

/** What a wrong password or code is told here: nobody is signed out for it. */
const again =
  (visit: Visit) =>
  (problem: Problem): Promise<Shown> =>
    me(visit, { ...problem, status: problem.status === 401 ? 422 : problem.status });

const password = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { api, form } = visit;
      const body = { current: form.exact("current"), new: form.exact("new") };
      await api.send("PUT", "/me/password", { body, key });
      return { to: home, told: "Your password is changed, and your other sessions have ended." };
    },
    again(visit),
  );

const digits = (text: string): string => text.replaceAll(" ", "");

const offer = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const totp = digits(visit.form.text("totp"));
      const made = await visit.api.send<Answers["OfferedTotp"]>("POST", "/me/totp", {
        body: totp === "" ? {} : { totp },
        key,
      });
      return {
        to: `${home}?setup=1`,
        told: "Enter the secret into your app, keep the recovery codes, and confirm with a first code below.",
        secrets: [
          ["Secret", made.secret],
          ["Address for apps", made.uri],
          ["Recovery codes", made.recovery_codes.join("  ")],
        ],
      };
    },
    again(visit),
  );

const confirm = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const body = { totp: digits(visit.form.text("totp")) };
      await visit.api.send("POST", "/me/totp/confirm", { body, key });
      return { to: home, told: "Signing in asks for a code from now on." };
    },
    again(visit),
  );

const turnOff = (visit: Visit): Promise<Shown | Led> =>
  acted(
    visit,
    async ({ key }) => {
      const { api, form } = visit;
      const totp = digits(form.text("totp"));
      const body = { password: form.exact("password"), ...(totp !== "" && { totp }) };
      await api.send("DELETE", "/me/totp", { body, key });
      return { to: home, told: "Codes are off: signing in takes your password alone." };
    },
    again(visit),
  );

export const mePages: readonly Page[] = [
  { method: "GET", path: "/me", section, answer: (visit) => me(visit) },
  { method: "POST", path: "/me/password", section, answer: password },
  { method: "POST", path: "/me/totp", section, answer: offer },
  { method: "POST", path: "/me/totp/confirm", section, answer: confirm },
  { method: "POST", path: "/me/totp/off", section, answer: turnOff },
];
