import { fcmDouble, freePort } from "@heliograph/testkit";
import type { Provider, Weather } from "./provider.ts";

export const fcmToken = "fMEP0vJqS0:APA91bHqX-device";

export async function fcm(): Promise<Provider> {
  const double = await fcmDouble();
  const away = await freePort();
  const config = {
    environment: "live" as const,
    channel: "push" as const,
    settings: { base_url: double.url, project_id: double.projectId },
  };
  const tooMany = {
    type: "refuse",
    status: 429,
    word: "RESOURCE_EXHAUSTED",
    errorCode: "QUOTA_EXCEEDED",
  } as const;
  const gone = {
    type: "refuse",
    status: 404,
    word: "NOT_FOUND",
    errorCode: "UNREGISTERED",
  } as const;
  const weathers: Readonly<Record<Weather, () => void>> = {
    accept: () => double.behave({ type: "accept" }),
    reject: () => double.behave(gone),
    throttle: () => double.behave(tooMany),
    wait: () => double.behave({ ...tooMany, retryAfter: "7" }),
    hang: () => double.behave({ type: "hang" }),
    "lost answer": () => double.behave({ type: "reset" }),
    garbage: () => double.behave({ type: "answer", status: 200, body: "%PDF-1.7 \u0000" }),
    away: () => void (config.settings.base_url = `http://127.0.0.1:${away}`),
  };
  return {
    config,
    secrets: { service_account: double.serviceAccount },
    weather(weather) {
      weathers[weather]();
      return fcmToken;
    },
    taken: () => double.messages.map(({ message }) => JSON.stringify(message)),
    takesNoReference: true,
    close: () => double.close(),
  };
}
