/** What a field means, and a value of it. */
export type Field = readonly [description: string, example?: unknown];

export const time = "2026-05-23T14:22:17.042Z";
export const id = (prefix: string): string => `${prefix}_01HNQX2P8Y9R3T4V5W6Z7A8B9C`;
export const cursor = "kT1vJ2pQwXoibXNnXzAxSE5RWDJQIg";
