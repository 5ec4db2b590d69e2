import { html, type Html } from "@heliograph/html";
import type { Environment } from "@heliograph/contracts";
import type { Problem } from "../client.ts";
import { base, shown, type Shown } from "../page.ts";
import { bare } from "./layout.ts";
import { field, refusal } from "./parts.ts";

type SignInState = {
  readonly to: string;
  readonly email?: string;
  readonly ended?: boolean;
  readonly problem?: Problem;
};

/** What to do about a refused sign-in, in the words of whoever sits before it. */
const said = ({ code, detail }: Problem): string =>
  code === "totp_required"
    ? "Your account asks for a code. Enter your password again, and the six digits of your app."
    : code === "invalid_request"
      ? "Enter your e-mail address and your password."
      : detail;

export const signInPage = ({ to, email = "", ended = false, problem }: SignInState): string =>
  bare(
    "Sign in",
    html`${ended && html`<p class="flash" role="status">Your session has ended. Sign in again to go on.</p>`}
${problem !== undefined && html`<div class="refusal" role="alert"><p>${said(problem)}</p></div>`}
<form class="sheet" method="post" action="${base}/sign-in">
<input type="hidden" name="to" value="${to}">
${field({ name: "email", label: "E-mail address", value: email, type: "email", required: true, autocomplete: "username" })}
${field({ name: "password", label: "Password", type: "password", required: true, autocomplete: "current-password" })}
${field({ name: "totp", label: "Code", autocomplete: "one-time-code", hint: "Six digits of your app, or a recovery code. Leave it empty where no codes are set up." })}
<button class="main" type="submit">Sign in</button>
</form>
<p class="small">You begin in the sandbox. After <code>npm start</code>, <code>dev.json</code> in the data folder has an agent to try it with.</p>`,
  );

export const foreignPage = (): string =>
  bare(
    "This form came from elsewhere",
    html`<p>Nothing was done. A form counts only when it was sent from a page of this console, by whoever is signed in.</p><p><a href="${base}">Go to the console</a> and try it there.</p>`,
  );

export const notAForm = (): string =>
  bare(
    "This is not a form of ours",
    html`<p>Nothing was done. The request is no form, or is larger than any form here.</p><p><a href="${base}">Go to the console</a></p>`,
  );

export const brokenPage = (): string =>
  bare(
    "Something broke here",
    html`<p>It is written down, and it is not your fault. Whether your last form was carried out, its page says: look there before you send it again.</p><p><a href="${base}">Go to the console</a></p>`,
  );

const silent = "The platform does not answer";

/** What to do while the platform is away. `again`: the address to ask again, where nothing was posted. */
const silence = (again: string | undefined, posted: string): Html =>
  again === undefined
    ? html`<p>The REST API gives no answer at the moment. ${posted}</p><p><a class="go" href="${base}">Go to the console</a></p>`
    : html`<p>The REST API gives no answer at the moment. Nothing was changed, and this page is there again when it answers.</p><p><a class="go" href="${again}">Try again</a></p>`;

export const silentAlone = (again?: string): string =>
  bare(silent, silence(again, "Go back in your browser, and try it once more in a minute."));
export const silentPage = (again?: string): Shown =>
  shown(
    silent,
    silence(
      again,
      "What you sent may have arrived. Go back in your browser and send the form once more: what you typed is still in it, and however often it is sent it acts once.",
    ),
    502,
  );

export const refusedAlone = (problem: Problem): string =>
  bare(problem.title, html`${refusal(problem)}<p><a href="${base}">Back to the console</a></p>`);

/** `again`: the address to ask again, where nothing was posted. */
export const refusedPage = (problem: Problem, again?: string): Shown =>
  shown(
    problem.status === 404 ? "Not here" : problem.title,
    html`${refusal(problem)}${problem.status === 404 && html`<p>Live and the sandbox have nothing in common: what is in one is not found in the other. The switch at the top leads across.</p>`}${problem.status >= 500 && again !== undefined && html`<p><a class="go" href="${again}">Try again</a></p>`}<p><a href="${base}">Back to the overview</a></p>`,
    problem.status,
  );

export const otherWorld = (environment: Environment): Shown =>
  shown(
    "Nothing was sent",
    html`<div class="refusal" role="alert"><p>That form was written in ${environment === "live" ? "the sandbox" : "live"}, and since then you have switched to ${environment === "live" ? "live" : "the sandbox"} in another tab. Switch back, or write it again here.</p></div>`,
    409,
  );
