/**
 * Where a link may lead: an `https:` address, or a path of our own. Anything else, such as `javascript:`, another host by `//host` or a
 * control character that a browser drops, leads nowhere: `#`.
 */
export function link(address: string): string {
  // WHATWG URL: tabs and line ends are removed before the address is read, and `\` counts as `/`.
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  if (/[\u0000-\u0020\u007f\\]/.test(address)) return "#";
  if (/^\/(?!\/)/.test(address) || /^[?#]/.test(address)) return address;
  return /^https:\/\/[^/@]+(?:[/?#]|$)/i.test(address) && URL.canParse(address) ? address : "#";
}
