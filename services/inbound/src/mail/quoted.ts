import type { SMTPServer } from "smtp-server";

type Connection = SMTPServer["connections"] extends Set<infer Each> ? Each : never;
type Parse = Connection["_parseAddressCommand"];

/** The words before a local part in quotes, that, and what is behind it (RFC 5321 §4.1.2). */
const quotedPath = /^([^<]*<)("(?:[^"\\\p{Cc}]|\\[^\p{Cc}]){0,64}")(@[^<>\s"]+>.*)$/su;
const standIn = "quoted";

/** Makes a connection take paths whose local part is in quotes, whatever is between these: the library knows neither a blank there nor an @ nor a bracket, and would refuse the mail. */
export function takeQuoted(connection: Pick<Connection, "_parseAddressCommand">): void {
  const parse = connection._parseAddressCommand.bind(connection);
  const parseQuoted: Parse = (name, command) => {
    const [, before, local, rest] = quotedPath.exec(command.toString()) ?? [];
    if (local === undefined) return parse(name, command);
    const parsed = parse(name, `${before}${standIn}${rest}`);
    if (parsed !== false) parsed.address = `${local}${parsed.address.slice(standIn.length)}`;
    return parsed;
  };
  connection._parseAddressCommand = parseQuoted;
}
