/** How long what is rotated works beside its successor. */
export const overlaps = [
  ["86400", "a day"],
  ["3600", "an hour"],
  ["604800", "a week"],
  ["0", "none: the old one ends now"],
] as const;
