import type { Limit } from "@heliograph/runtime";

/** What a server may send: mail with attachments has up to this (25 MB are usual), and is told so before it begins (RFC 1870). */
export const maxMailBytes = 26_000_000;
/** What is kept of it besides its files; sealed and in Base64 this is 0.9 MB, for which an event has room. */
export const keptMailBytes = 500_000;
/** Files of a mail that are kept, and that are named in all. */
export const maxFiles = 20;
export const maxNamedFiles = 50;
/** What the files of all mails that are being taken have on this machine together: twenty of the largest. Others are asked to come later. */
export const maxSpooledBytes = 500_000_000;
/** RFC 5321 §4.5.3.1.8 wants no fewer. Each is an event of its own. */
export const maxRecipients = 100;
/** Connections of one process, and of one address: a server opens a few, and who opens many keeps nobody else out. */
export const maxConnections = 200;
export const maxConnectionsOfOne = 50;
/** Mails that are being stored at once; the others are asked to come later. One that is still being read takes no place: with `maxConnections` those hold 100 MB at most. */
export const maxAtOnce = 64;
/** What is stored of one place, a mail to three addresses thrice: as much as a server of yours passes on that stands in front. */
export const mailsOfOne: Limit = { requests: 1_200, windowSeconds: 60 };
/** What is stored for one address, more than of one place: nobody alone keeps the others' mail out. */
export const mailsToOne: Limit = { requests: 3_000, windowSeconds: 60 };
/** After so many recipients that are none of ours a connection ends: somebody is trying addresses. */
export const maxUnknown = 10;
/** Without a word. RFC 5321 §4.5.3.2.7 has five minutes, which whoever holds connections open would use. */
export const idleMs = 60_000;
/** Of a connection in all, whatever is said on it: 26 MB at 50 kB/s, and some more. */
export const maxConnectionMs = 600_000;
/** A mail comes at least as fast, once it has had `slowAfterMs`: who sends a byte now and then would hold a connection for long. */
export const minBytesPerSecond = 5_000;
export const slowAfterMs = 30_000;
export const agesEveryMs = 10_000;
/** How long the connections that are open at a stop have to end what they have begun. Less than the process has for closing. */
export const closeMs = 3_000;
/** A certificate that was renewed is in use after so long. */
export const certificateEveryMs = 60_000;
