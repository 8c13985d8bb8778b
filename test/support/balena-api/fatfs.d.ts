// What is used of `fatfs`, which `balena-image-fs` writes FAT with and which comes without types.
declare module "fatfs" {
  type Done = (error?: Error | null) => void;

  interface Volume {
    readonly sectorSize: number;
    readonly numSectors: number;
    readSectors(sector: number, into: Buffer, done: Done): void;
    writeSectors(sector: number, from: Buffer, done: Done): void;
  }
  interface FatFs {
    on(event: "ready", listener: () => void): void;
    on(event: "error", listener: (error: Error) => void): void;
    writeFile(path: string, content: string, done: Done): void;
  }
  export function createFileSystem(volume: Volume): FatFs;
}
