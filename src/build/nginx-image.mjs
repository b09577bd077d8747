/*
 * The image of nginx that tests run: Debian's packages in five layers, made by buildah, saved by podman. Neither touches
 * the images that the system has.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fetchWithDependencies } from "./debian.mjs";
import { HERE, TARGETS } from "./engine.mjs";
import { once } from "./once.mjs";
import { Unavailable } from "./unavailable.mjs";

const CACHE = new URL("../../.cache/nginx/", import.meta.url).pathname;

/** The tarball's path. */
export const NGINX_IMAGE = join(CACHE, "nginx.tar");

const NAME = "localhost/nginx:debian";
const BUSYBOX = "/bin/busybox";
const APPLETS = ["cat", "hostname", "id", "ls", "nslookup", "sh", "sleep", "stat", "wget"];

/** What it serves: a page, and what files in a directory say. */
const SITE = `user www-data;
daemon off;
pid /run/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  server {
    listen 80;
    root /srv;
    include /etc/nginx/conf.d/*.conf;
  }
}
`;

/** What each layer adds; `packages` leads from a package's name to its file. */
const LAYERS = [
  (root) => {
    for (const name of ["bin", "sbin", "lib", "lib64"]) {
      mkdirSync(join(root, "usr", name), { recursive: true });
      symlinkSync(`usr/${name}`, join(root, name));
    }
    for (const name of ["dev", "etc", "proc", "run", "srv", "sys", "tmp", "root"]) mkdirSync(join(root, name));
    chmodSync(join(root, "tmp"), 0o1777);
    cpSync(BUSYBOX, join(root, "usr/bin/busybox"));
    for (const name of APPLETS) symlinkSync("busybox", join(root, "usr/bin", name));
    const user = (name, id, home) => `${name}:x:${id}:${id}::${home}:/bin/sh\n`;
    writeFileSync(join(root, "etc/passwd"), user("root", 0, "/root") + user("www-data", 33, "/var/www"));
    writeFileSync(join(root, "etc/group"), "root:x:0:\nwww-data:x:33:\n");
  },
  (root, packages) =>
    unpack(
      root,
      packages.filter((file) => /\/libc6_/.test(file)),
    ),
  (root, packages) =>
    unpack(
      root,
      packages.filter((file) => !/\/(libc6|nginx[\w-]*)_/.test(file)),
    ),
  (root, packages) =>
    unpack(
      root,
      packages.filter((file) => /\/nginx[\w-]*_/.test(file)),
    ),
  (root) => {
    writeFileSync(join(root, "etc/nginx/nginx.conf"), SITE);
    writeFileSync(join(root, "srv/index.html"), "<h1>nginx in a bundle</h1>\n");
  },
];

const CONFIG = ["--cmd", '["/usr/sbin/nginx"]', "--port", "80", "--stop-signal", "SIGQUIT"];

/**
 * Makes the tarball, once.
 *
 * @throws {Unavailable} where it cannot be had
 */
export async function provideNginxImage() {
  if (process.getuid() !== 0) throw new Unavailable("needs root");
  for (const tool of ["buildah", "podman"])
    if (spawnSync(tool, ["--version"]).status !== 0) throw new Unavailable(`there is no ${tool}`);
  if (!existsSync(BUSYBOX)) throw new Unavailable(`there is no ${BUSYBOX}`);
  await once(NGINX_IMAGE, [HERE, new URL(import.meta.url).pathname], () => {
    rmSync(CACHE, { recursive: true, force: true });
    const packages = fetchWithDependencies(join(CACHE, "download"), "nginx", TARGETS[HERE].debian);
    const run = engines();
    try {
      let image = "scratch";
      for (const [i, fill] of LAYERS.entries()) {
        const container = run("buildah", "from", image);
        fill(run("buildah", "mount", container), packages);
        image = i === LAYERS.length - 1 ? NAME : `localhost/layer:${i}`;
        if (image === NAME) run("buildah", "config", ...CONFIG, container);
        run("buildah", "commit", "--quiet", "--rm", container, image);
      }
      run("podman", "--events-backend=file", "save", "--quiet", "--output", `${NGINX_IMAGE}.new`, NAME);
      renameSync(`${NGINX_IMAGE}.new`, NGINX_IMAGE);
    } finally {
      spawnSync("umount", [join(CACHE, "storage/overlay")]);
      for (const name of ["download", "storage", "run", "storage.conf"])
        rmSync(join(CACHE, name), { recursive: true, force: true });
    }
  });
}

/** A package's files go where links of the root file system lead: /lib is /usr/lib. */
function unpack(root, packages) {
  for (const file of packages) {
    const input = execFileSync("dpkg-deb", ["--fsys-tarfile", file], { maxBuffer: 1 << 29 });
    execFileSync("tar", ["--extract", "--keep-directory-symlink", "--directory", root], { input });
  }
}

/** Runs buildah and podman with storage of our own. */
function engines() {
  const paths = `graphroot = "${join(CACHE, "storage")}"\nrunroot = "${join(CACHE, "run")}"\n`;
  const CONTAINERS_STORAGE_CONF = join(CACHE, "storage.conf");
  writeFileSync(CONTAINERS_STORAGE_CONF, `[storage]\ndriver = "overlay"\n${paths}`);
  const env = { ...process.env, CONTAINERS_STORAGE_CONF, TMPDIR: CACHE };
  return (command, ...args) => {
    const { status, stdout, stderr } = spawnSync(command, args, { env, encoding: "utf8" });
    // Neither works everywhere: in a container, say.
    if (status !== 0) throw new Unavailable(`${command} ${args[0]}: ${stderr.trim().split("\n").at(-1)}`);
    return stdout.trim();
  };
}
