/** What the QuickJS form needs and this machine does not have: a reason to go without that form, not a fault. */
export class Unavailable extends Error {}
