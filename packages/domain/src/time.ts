/** RFC 3339 in UTC with milliseconds: `2026-05-23T14:22:17.042Z`. Takes epoch milliseconds. */
export const formatTime = (epochMs: number): string => new Date(epochMs).toISOString();
