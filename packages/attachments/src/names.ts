const maxNameLength = 255;

/**
 * A file's name as it is kept: one form for what looks the same (a Mac sends Hangul taken apart), no path, nothing that cannot be seen or turns the reading direction, which would
 * make `exe.fdp` of `pdf.exe`. Undefined where nothing is left.
 */
export function cleanName(text: string): string | undefined {
  const base = text.normalize("NFC").split(/[/\\]/).at(-1)!;
  const visible = base.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, "").trim();
  const name = Array.from(visible).slice(0, maxNameLength).join("");
  return /^\.*$/.test(name) ? undefined : name;
}

/** The name in a request's `Content-Disposition` (RFC 6266): `filename*` in UTF-8 wins over `filename`. */
export function nameInHeader(header: string | undefined): string | undefined {
  const extended = /(?:^|;)\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(header ?? "")?.[1];
  if (extended !== undefined)
    try {
      return decodeURIComponent(extended);
    } catch {
      // Not percent-encoded UTF-8: the plain one then.
    }
  const plain = /(?:^|;)\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(header ?? "");
  const text = plain?.[1]?.replaceAll(/\\(.)/g, "$1") ?? plain?.[2];
  // Node gives headers as Latin-1; curl and browsers write UTF-8 there.
  return text && Buffer.from(text, "latin1").toString("utf8");
}

/** A response's `Content-Disposition` (RFC 6266): ASCII for old readers, and the name itself in RFC 8187's form where that is not all. */
export function disposition(kind: "inline" | "attachment", name: string): string {
  const ascii = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, "_");
  const plain = `${kind}; filename="${ascii}"`;
  if (ascii === name) return plain;
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${plain}; filename*=UTF-8''${encoded}`;
}
