import type { Channel, Content, FieldError } from "@heliograph/contracts";
import { channelModule } from "./registry.ts";

export type PushOptions = NonNullable<Content["push"]>;

/** Most values that an application is told. */
export const maxPushData = 50;

/**
 * What the platform and the providers have names of their own for: FCM refuses a message with one of the first ("Firebase Cloud Messaging HTTP v1", `data`), APNs keeps `aps` for itself, FCM puts its
 * options beside it on iOS, and the id and the picture of a message stand there as these.
 */
const reserved: ReadonlySet<string> = new Set([
  "from",
  "message_type",
  "aps",
  "fcm_options",
  "message_id",
  "image",
]);
const isReserved = (key: string): boolean => reserved.has(key) || /^(?:google|gcm)/.test(key);

/** Why a channel does not carry these options of a push, or a provider would not. Paths are `push` and the names of the fields. */
export function pushFaults(
  channel: Channel,
  options: PushOptions | undefined,
): readonly FieldError[] {
  if (options === undefined) return [];
  const { noun, pushes } = channelModule(channel);
  if (pushes !== true)
    return [{ path: "push", code: "not_allowed", message: `${noun} is no push` }];
  const { data = {}, collapse_key: collapse } = options;
  const keys = Object.keys(data);
  const errors: FieldError[] = keys.filter(isReserved).map((key) => ({
    path: `push.data.${key}`,
    code: "reserved",
    message: "is a name that FCM, APNs or the platform keeps for itself",
  }));
  if (keys.length > maxPushData)
    errors.push({
      path: "push.data",
      code: "too_many",
      message: `may have at most ${maxPushData} values`,
    });
  // APNs takes it as a header, 64 bytes of it.
  if (collapse !== undefined && !/^[!-~]{1,64}$/.test(collapse))
    errors.push({
      path: "push.collapse_key",
      code: "invalid_format",
      message: "must be 1 to 64 letters, digits and signs of ASCII without a space",
    });
  return errors;
}

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** What they take of the 4 KB of a push, as JSON has it: what goes in no header and is no setting of Android alone. */
export function bytesOfPush({ data, badge, sound }: PushOptions = {}): number {
  const ofData = Object.entries(data ?? {}).reduce(
    (sum, [key, value]) => sum + jsonBytes(key) + jsonBytes(value) + 2,
    0,
  );
  const others = { ...(badge !== undefined && { badge }), ...(sound !== undefined && { sound }) };
  return ofData + jsonBytes(others) - 2;
}
