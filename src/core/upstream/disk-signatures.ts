/** Tells whether bytes begin like a disk, a file system or a packed file. Other bytes are reported, because they may not be an image. */

/** Offset and bytes, of which one set is enough. */
const signatures: readonly (readonly [offset: number, bytes: readonly number[]])[] = [
  [510, [0x55, 0xaa]], // boot record: a partition table (of a GPT as well), FAT, NTFS
  [512, [0x45, 0x46, 0x49, 0x20, 0x50, 0x41, 0x52, 0x54]], // "EFI PART"
  [4096, [0x45, 0x46, 0x49, 0x20, 0x50, 0x41, 0x52, 0x54]], // the same with sectors of 4 KiB
  [1080, [0x53, 0xef]], // ext2 to ext4
  [0, [0x68, 0x73, 0x71, 0x73]], // squashfs
  [32769, [0x43, 0x44, 0x30, 0x30, 0x31]], // ISO 9660
  [0, [0x55, 0x42, 0x49, 0x23]], // UBI
  [0, [0x3a, 0xff, 0x26, 0xed]], // Android sparse image
  [0, [0xd0, 0x0d, 0xfe, 0xed]], // flattened image tree
  [0, [0x1f, 0x8b]], // gzip
  [0, [0x50, 0x4b]], // zip
  [0, [0xfd, 0x37, 0x7a, 0x58, 0x5a]], // xz
  [0, [0x42, 0x5a, 0x68]], // bzip2
  [0, [0x28, 0xb5, 0x2f, 0xfd]], // zstd
];

/** Needs the first 33 KiB of the image, or all of a smaller one. */
export function isKnownDisk(start: Uint8Array): boolean {
  return signatures.some(([offset, bytes]) => bytes.every((byte, index) => start[offset + index] === byte));
}
