import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { C } from "../../src/linux/constants.js";
import { errnoNumber } from "../../src/linux/errno.js";
import { attribute, attributesOf, Netlink } from "../../src/linux/netlink.js";
import { addressesOf, networkDevices } from "../../src/linux/network-device.js";
import { SyscallError } from "../../src/linux/syscall.js";

const [AF_INET, AF_INET6] = [2, 10];

test("the devices of a network are those that sysfs has", (t) => {
  const netlink = Netlink.open();
  t.after(() => netlink.close());
  const devices = networkDevices(netlink);
  assert.deepEqual(devices.map(({ name }) => name).toSorted(), readdirSync("/sys/class/net").toSorted());
  for (const { name, index, isUp } of devices) {
    const file = (path: string) => Number(readFileSync(`/sys/class/net/${name}/${path}`, "utf8"));
    assert.equal(index, file("ifindex"));
    assert.equal(isUp, (file("flags") & C.IFF_UP) !== 0);
  }
});

test("the addresses of a device are taken apart", (t) => {
  const netlink = Netlink.open();
  t.after(() => netlink.close());
  const loopback = networkDevices(netlink).find(({ name }) => name === "lo");
  assert.ok(loopback?.isUp);
  const addresses = addressesOf(netlink, loopback);
  const own = addresses.find(({ family }) => family === AF_INET);
  assert.equal(own?.prefixLength, 8);
  assert.deepEqual([...(attribute(own.attributes, C.IFA_LOCAL) ?? [])], [127, 0, 0, 1]);
  assert.ok(own.flags & C.IFA_F_PERMANENT);
  for (const { family } of addresses) assert.ok([AF_INET, AF_INET6].includes(family));
});

test("what the kernel refuses is an error that says what was asked", (t) => {
  const netlink = Netlink.open();
  t.after(() => netlink.close());
  const none = new Uint8Array(16).fill(0x7f, 4, 8);
  for (let i = 0; i < 2; i++)
    assert.throws(
      () => netlink.request(C.RTM_NEWLINK, 0, none, [], "change a device"),
      (error) =>
        error instanceof SyscallError &&
        [errnoNumber("ENODEV"), errnoNumber("EPERM")].includes(error.errno) &&
        error.message.startsWith("change a device: "),
    );
  // The answers to the one do not get mixed up with those to the other.
  assert.ok(networkDevices(netlink).length > 0);
});

test("attributes are aligned, and may have flags in their type", () => {
  const bytes = Uint8Array.of(0, 0, 0, 0, 5, 0, 1, 0, 9, 0, 0, 0, 8, 0, 2, 0x80, 1, 2, 3, 4);
  assert.deepEqual(attributesOf(bytes, 4), [
    [1, Uint8Array.of(9)],
    [2, Uint8Array.of(1, 2, 3, 4)],
  ]);
});
