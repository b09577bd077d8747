/** A number of bytes for a person, "1.5 MiB". */
export const mebibytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(1)} MiB`;
