const sesId = String.raw`[\da-f]{16}-[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}-[\da-f]{6}`;
const sesAnswer = new RegExp(`^250 ok (${sesId})$`, "i");
const sesMailId = new RegExp(String.raw`^<(${sesId})@(?:[a-z\d-]+\.)?amazonses\.com>$`, "i");
const outlookMailId = String.raw`<[^<>\s]{1,200}\.prod\.outlook\.com>`;
const outlookAnswer = new RegExp(String.raw`^250 2\.0\.0 ok (${outlookMailId})`, "i");
const serverMailIds = [sesMailId, new RegExp(`^${outlookMailId}$`, "i")];

/**
 * What a server calls a mail that it has taken, where it puts a Message-ID of its own in the place of ours and says so in its answer, as Amazon SES and Microsoft 365 do. What people answer names that one, and
 * SES tells of the mail by it. Undefined for another server's answer.
 */
export const serverIdIn = (response: string): string | undefined =>
  sesAnswer.exec(response.trim())?.[1]?.toLowerCase() ?? outlookAnswer.exec(response)?.[1];

/** What a mail is found by: a Message-ID of SES's by what SES calls the mail. */
export const mailKeys = (id: string): readonly string[] => [
  sesMailId.exec(id)?.[1]?.toLowerCase() ?? id,
];

/** Whether such a server may have given out a Message-ID. */
export const isServerId = (mailId: string): boolean =>
  serverMailIds.some((shape) => shape.test(mailId));
