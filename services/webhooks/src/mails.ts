import { environments, type Environment, type EventData } from "@heliograph/contracts";
import type { ApiContext, Hosted } from "@heliograph/api";
import { originOfLinks } from "@heliograph/api";
import type { EndpointNotice } from "@heliograph/domain";
import { type Mail, postMail } from "@heliograph/platform";
import { type AgentRecord, inTransaction } from "@heliograph/runtime";
import { dropNotice, takeNotices, type Notice } from "./tables/notices.ts";

/** Nobody waits for it. */
const lookEveryMs = 10_000;
const noticesAtOnce = 100;

/** Posts what owners of endpoints are to be told by mail; every process that serves the API looks, and of one notice and person there is one mail. */
export function openNoticeMails(context: ApiContext): Hosted {
  const { logger } = context;
  let running: Promise<void> | undefined;
  const look = (): void => {
    running ??= postAll(context)
      .catch((error: unknown) =>
        logger.warn({ err: error }, "owners of webhooks were not told yet"),
      )
      .finally(() => (running = undefined));
  };
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return {
    async close() {
      clearInterval(timer);
      await running;
    },
  };
}

/** Posts what waits, in either environment. */
export async function postAll(
  context: Pick<
    ApiContext,
    "environments" | "platformPool" | "masterKey" | "directory" | "settings"
  >,
): Promise<void> {
  for (const environment of environments) {
    const { pool } = context.environments[environment];
    for (const notice of await takeNotices(pool, noticesAtOnce)) {
      const origin = originOfLinks(context.settings);
      const mails = context.directory
        .agentsOf(notice.partner)
        .filter((agent) => isTold(agent, environment))
        .map(({ email }) => mailOf(notice.event, email, environment, origin));
      await inTransaction(context.platformPool, async (client) => {
        for (const mail of mails)
          await postMail(client, context.masterKey, `${notice.eventId} ${mail.to}`, mail);
      });
      await dropNotice(pool, notice.eventId);
    }
  }
}

/** Those who may change endpoints. */
const isTold = (
  { status, role, environments: has }: AgentRecord,
  environment: Environment,
): boolean =>
  status === "active" && (role === "owner" || role === "admin") && has.includes(environment);

/** Each line as short as mail wants it; a URL stands alone. */
export function mailOf(
  event: Notice["event"],
  to: string,
  environment: Environment,
  origin: string,
): Mail {
  const { subject, lines } = wordsOf(event);
  return {
    to,
    subject: environment === "live" ? subject : `${subject} (sandbox)`,
    text: `${lines.join("\n")}

${event.data.url}

See what it answered, and when:
${origin}/console/webhooks/${event.data.endpoint_id}
`,
  };
}

function wordsOf(event: Exclude<EndpointNotice, { type: "WebhookEndpointEnabled" }>): {
  readonly subject: string;
  readonly lines: readonly string[];
} {
  switch (event.type) {
    case "WebhookEndpointDisabled":
      return {
        subject: "A webhook endpoint was disabled",
        lines: [
          "Nothing is sent to this webhook endpoint any more:",
          `${event.data.reason}.`,
          "",
          "Enable it when it answers again, and replay what it missed.",
        ],
      };
    case "WebhookEndpointFailing":
      return {
        subject: "A webhook endpoint fails",
        lines: [
          "Nothing but failures came from this webhook endpoint since",
          `${event.data.since}, the last one: ${event.data.error}.`,
          "",
          "If that goes on, it is disabled.",
        ],
      };
    case "WebhookEndpointRecovered":
      return {
        subject: "A webhook endpoint answers again",
        lines: recovered(event.data),
      };
    default:
      return event satisfies never;
  }
}

const recovered = ({ since }: EventData<"WebhookEndpointRecovered">): readonly string[] => [
  "This webhook endpoint takes deliveries again. It had failed since",
  `${since}. What waits is sent.`,
];
