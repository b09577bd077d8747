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
# The user's own systemd runs from the start, and may delegate every controller.
mkdir -p var/lib/systemd/linger etc/systemd/system/user@.service.d
touch var/lib/systemd/linger/tester var/lib/systemd/linger/single
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
chroot . /bin/systemctl --quiet mask getty.target apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
  e2scrub_all.timer fstrim.timer e2scrub_reap.service
