# mmdebstrap's hook for the guest's root file system $1: the kernel, the users, and the unit that carries out a payload's
# job. The kernel package itself is not installed: it would want an initrd, which this kernel can do without.
set -eu
cd "$1"

export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p')
mkdir kernel
(cd kernel && apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg-deb -x ./*.deb .)
mv kernel/boot/vmlinuz-* vmlinuz
mv kernel/lib/modules usr/lib/
rm -r kernel
chroot . /sbin/depmod "${package#linux-image-}"

# Users as engines find them: one with subordinate ids, one without.
chroot . /usr/sbin/useradd --create-home --shell /bin/sh tester
chroot . /usr/sbin/useradd --create-home --shell /bin/sh single
sed -i /^single:/d etc/subuid etc/subgid
# A user's own systemd may delegate every controller.
mkdir -p etc/systemd/system/user@.service.d
printf '[Service]\nDelegate=yes\n' >etc/systemd/system/user@.service.d/delegate.conf

echo fdrunc-guest >etc/hostname
cat >etc/systemd/system/job.service <<'END'
[Unit]
Description=the job in /srv/job
After=multi-user.target systemd-user-sessions.service

[Service]
# What the job puts out, then a line of an end-of-transmission character and its exit status.
StandardOutput=tty
TTYPath=/dev/ttyS1
StandardError=inherit
ExecStart=/bin/sh -c 'stty -F /dev/ttyS1 -echo -opost; mount -L payload /srv && sh /srv/job; printf "\\004%%d\\n" $?'
ExecStopPost=/bin/systemctl poweroff --force --force

[Install]
WantedBy=multi-user.target
END
chroot . /bin/systemctl --quiet enable job.service

# What takes time at boot and nothing here needs: an emulated processor is slow.
chroot . /bin/systemctl --quiet mask getty.target timers.target e2scrub_reap.service systemd-pstore.service \
  systemd-repart.service modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service \
  modprobe@fuse.service modprobe@loop.service
mkdir -p etc/systemd/user-generators
ln -s /dev/null etc/systemd/user-generators/systemd-xdg-autostart-generator
find etc/apparmor.d -maxdepth 1 -type f -delete
