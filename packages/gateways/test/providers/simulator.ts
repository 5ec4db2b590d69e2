import type { Provider, Weather } from "./provider.ts";

export async function simulator(): Promise<Provider> {
  const digits: Partial<Record<Weather, string>> = {
    accept: "0001",
    reject: "0003",
    throttle: "0005",
    hang: "0008",
    "lost answer": "0012",
  };
  return {
    config: { environment: "sandbox", channel: "sms" },
    secrets: {},
    weather: (weather) => digits[weather] && `+1555000${digits[weather]}`,
    taken: () => undefined,
    close: async () => undefined,
  };
}
