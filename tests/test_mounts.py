"""Which file systems keep the mode of a file, by what /proc/self/mounts says."""

from __future__ import annotations

from pathlib import Path

from drive2cloudinary.mounts import without_modes

MOUNTS = r"""/dev/sdc / ext4 rw,relatime,discard 0 0
none /mnt/wsl tmpfs rw,relatime 0 0
C:\134 /mnt/c 9p rw,dirsync,noatime,aname=drvfs;path=C:\134;uid=1000;gid=1000;symlinkroot=/mnt/,mmap,access=client 0 0
D:\134 /mnt/d 9p rw,noatime,aname=drvfs;path=D:\134;uid=1000;gid=1000;metadata;umask=22;fmask=11,access=client 0 0
E: /mnt/e drvfs rw,noatime,uid=1000,gid=1000,case=off 0 0
F: /mnt/f drvfs rw,noatime,uid=1000,gid=1000,metadata 0 0
/dev/sdd1 /media/USB\040stick vfat rw,uid=1000,fmask=0022 0 0
/dev/sde1 /mnt/c/inside ext4 rw 0 0
share /mnt/host 9p rw,trans=virtio,version=9p2000.L 0 0
C:\134 /mnt/over 9p rw,aname=drvfs;path=C:\134;uid=1000 0 0
/dev/sdf1 /mnt/over ext4 rw 0 0
broken
"""


def test_a_windows_drive_without_metadata_keeps_no_modes() -> None:
    there = {
        "/home/ann/work/.env": "",
        "/mnt/c/Users/Ann/work/.env": "/mnt/c",
        "/mnt/c": "/mnt/c",
        "/mnt/cd/.env": "",
        "/mnt/d/work/.env": "",
        "/mnt/e/work/.env": "/mnt/e",
        "/mnt/f/work/.env": "",
        "/media/USB stick/.env": "/media/USB stick",
        "/mnt/c/inside/.env": "",
        "/mnt/host/.env": "",
        "/mnt/over/.env": "",
    }
    assert {path: without_modes(Path(path), MOUNTS) for path in there} == there


def test_the_temporary_folder_keeps_modes(tmp_path: Path) -> None:
    assert without_modes(tmp_path) == "" and without_modes(tmp_path, "") == ""
