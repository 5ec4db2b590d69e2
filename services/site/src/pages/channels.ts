import type { Entry } from "../entry.ts";
import { html, type Html } from "@heliograph/html";

type Channel = {
  readonly name: string;
  readonly id: string;
  readonly text: string;
  readonly to: string;
  readonly content: string;
  readonly confirms: string;
};

const channels: readonly Channel[] = [
  {
    name: "SMS",
    id: "sms",
    text: "Reaches every phone. Segments are counted and shown before you send; smart encoding keeps a stray quotation mark from doubling them.",
    to: "+15551234567",
    content: "text or a template",
    confirms: "sent, delivered or failed",
  },
  {
    name: "WhatsApp",
    id: "whatsapp",
    text: "Templates to begin with, free text within the 24 hours after somebody wrote. Outside of them the API says so, and why.",
    to: "+15551234567",
    content: "text, media or a template",
    confirms: "sent, delivered, read or failed",
  },
  {
    name: "E-mail",
    id: "email",
    text: "Text and HTML with a subject, over your own SMTP server. Bounces and complaints come back as events, and a complaint stops the next campaign.",
    to: "ada@example.com",
    content: "subject with text or HTML, or a template",
    confirms: "sent, delivered, bounced",
  },
  {
    name: "Push",
    id: "push",
    text: "Notifications on a device that your app has registered, or on a token of FCM or APNs.",
    to: "dev_…",
    content: "text, with a subject as its title",
    confirms: "sent",
  },
  {
    name: "Telegram",
    id: "telegram",
    text: "Messages and albums to a chat that knows your bot.",
    to: "88112233",
    content: "text, up to ten media",
    confirms: "sent",
  },
  {
    name: "Broadcast",
    id: "broadcast",
    text: "One message to a list that a provider keeps: a topic of FCM, a public channel of Telegram. Nobody confirms that it arrived, and so it ends as sent.",
    to: "the name of a list",
    content: "text",
    confirms: "nothing",
  },
];

const card = ({ name, id, text, to, content, confirms }: Channel): Html =>
  html`<li><h2 id="${id}">${name}</h2><p>${text}</p><dl><dt>To</dt><dd><code>${to}</code></dd><dt>Content</dt><dd>${content}</dd><dt>Confirms</dt><dd>${confirms}</dd></dl></li>`;

const body = (): Html =>
  html`<h1>Channels</h1><p class="lead">One request, one life of a message, one price list. What differs is how a recipient is written, and what the provider can confirm.</p><ul class="cards">${channels.map(card)}</ul><h2 id="today"><a href="#today">What carries them</a></h2><p>In the sandbox a simulated provider carries all six, and the recipient <a href="/docs/guides/sandbox">chooses the outcome</a>. Live, this release sends and receives e-mail over <a href="/docs/guides/gateways/smtp">SMTP</a>, SMS over <a href="/docs/guides/gateways/smpp">SMPP</a> or <a href="/docs/guides/gateways/twilio">Twilio</a>, <a href="/docs/guides/gateways/whatsapp">WhatsApp</a>, <a href="/docs/guides/gateways/telegram">Telegram</a>, push over <a href="/docs/guides/gateways/fcm">FCM</a> and <a href="/docs/guides/gateways/apns">APNs</a>, <a href="/docs/guides/gateways/broadcast">lists</a> that a provider keeps, and any channel over <a href="/docs/guides/gateways/http">HTTP</a>; a channel without a gateway answers <a href="/errors/channel_not_enabled"><code>channel_not_enabled</code></a> rather than pretend. <a href="/docs/operating/gateways">Gateways and routing</a> says which kinds there are.</p>`;

export const channelsPage: Entry = {
  path: "/channels",
  title: "Channels",
  description:
    "SMS, WhatsApp, e-mail, push, Telegram and broadcast in Heliograph: how each is addressed, what it carries and what it confirms.",
  source: String(body()),
  body,
};
