import { Failure } from "../linux/failure.js";
import { quote } from "../linux/file.js";
import { readInRoot } from "../linux/read-in-root.js";

/** Who a container's program runs as. */
export interface ImageUser {
  uid: number;
  gid: number;
  /** All groups, the one of `gid` among them. */
  groups: number[];
  home: string;
}

/** A line of /etc/passwd; passwd(5). */
interface Account {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** A line of /etc/group; group(5). */
interface Group {
  name: string;
  gid: number;
  members: string[];
}

/**
 * The user that an image's configuration asks for (image-spec, config.md, "User"): "", "user", "user:group", each a
 * name or a number; names are looked up in the image's own /etc/passwd and /etc/group. A user without a group has the
 * groups that these files give. Throws Failure for a name that is not there.
 */
export function findUser(rootfs: string, spec: string): ImageUser {
  const [wantedUser, wantedGroup] = spec.split(/:(.*)/s);
  const accounts = rows(readInRoot(rootfs, "etc/passwd"), 6).map(toAccount);
  const groups = rows(readInRoot(rootfs, "etc/group"), 3).map(toGroup);

  const user = wantedUser || "0";
  const account =
    accounts.find(({ name }) => name === user) ?? accounts.find(({ uid }) => isId(user) && uid === Number(user));
  if (account === undefined && !isId(user)) throw missing("user", user, "passwd");
  const { uid, gid, home } = account ?? { uid: Number(user), gid: 0, home: "/" };
  if (wantedGroup) {
    const group = groups.find(({ name }) => name === wantedGroup)?.gid ?? wantedGroup;
    if (!isId(String(group))) throw missing("group", wantedGroup, "group");
    return { uid, gid: Number(group), groups: [Number(group)], home };
  }
  const memberships = groups.filter(({ members }) => account !== undefined && members.includes(account.name));
  return { uid, gid, groups: [...new Set([gid, ...memberships.map((group) => group.gid)])], home };
}

const missing = (what: string, name: string, file: string): Failure =>
  new Failure(`${what} ${quote(name)}`, { cause: `the image's /etc/${file} has none of that name` });

/** Whether it is the number of a user or a group. */
const isId = (text: string): boolean => /^[0-9]{1,10}$/.test(text) && Number(text) < 0xffffffff;

/** The fields of the lines that have as many, with numbers where they should be. */
const rows = (text: string, count: number): string[][] =>
  text
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= count && isId(fields[2]));

const toAccount = ([name, , uid, gid, , home]: string[]): Account => ({
  name,
  uid: Number(uid),
  gid: isId(gid) ? Number(gid) : 0,
  home: home || "/",
});

const toGroup = ([name, , gid, members = ""]: string[]): Group => ({
  name,
  gid: Number(gid),
  members: members.split(","),
});
