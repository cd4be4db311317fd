package idmap

import "fmt"

// fsNames are the names of file systems by their magic number (statfs(2)).
var fsNames = map[int64]string{
	0xef53:     "ext4",
	0x58465342: "xfs",
	0x9123683e: "btrfs",
	0xf2f52010: "f2fs",
	0x2fc12fc1: "zfs",
	0xe0f5e1e2: "erofs",
	0x73717368: "squashfs",
	0x794c7630: "overlay",
	0x01021994: "tmpfs",
	0x858458f6: "ramfs",
	0x65735546: "fuse",
	0x6969:     "nfs",
	0xff534d42: "cifs",
	0xfe534d42: "smb2",
	0x01021997: "9p",
	0x00c36400: "ceph",
	0x47504653: "gpfs",
	0x0bd00bd0: "lustre",
	0x4d44:     "vfat",
	0x2011bab0: "exfat",
	0x5346544e: "ntfs",
	0x7366746e: "ntfs3",
	0x9660:     "iso9660",
	0xca451a4e: "bcachefs",
	0x9fa0:     "proc",
	0x62656572: "sysfs",
	0x0027e0eb: "cgroup",
	0x63677270: "cgroup2",
	0x1cd1:     "devpts",
	0x19800202: "mqueue",
	0x958458f6: "hugetlbfs",
	0x64626720: "debugfs",
	0x74726163: "tracefs",
	0x73636673: "securityfs",
	0xcafe4a11: "bpf",
	0x6165676c: "pstore",
	0xde5e81e4: "efivarfs",
	0x42494e4d: "binfmt_misc",
	0x0187:     "autofs",
	0x6e736673: "nsfs",
	0x6a656a63: "virtiofs",
	0x6a656a62: "shiftfs",
	0x5a4f4653: "zonefs",
}

func fsName(magic int64) string {
	if name, ok := fsNames[magic]; ok {
		return name
	}
	return fmt.Sprintf("%#x", uint32(magic))
}

// idmapSince is the version of Linux in which a file system learned to be
// ID-mapped (mount_setattr(2)).
var idmapSince = map[string]string{
	"ext4":      "5.12",
	"vfat":      "5.12",
	"xfs":       "5.12",
	"btrfs":     "5.15",
	"ntfs3":     "5.15",
	"f2fs":      "5.18",
	"erofs":     "5.19",
	"squashfs":  "6.2",
	"tmpfs":     "6.3",
	"hugetlbfs": "6.9",
	"fuse":      "6.12, if its server allows it",
	"ceph":      "6.7",
}
