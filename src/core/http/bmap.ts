/**
 * A block map of an image, as `bmaptool` reads it (format 2.0): which blocks hold anything, and their SHA-256. Each range is a chunk, so that all
 * of it is known without reading a byte of the image.
 */
import { type ChunkDigests, sha256HexOfText } from "../digest.ts";

/** The chunks of an image. */
export interface ChunkList {
  readonly size: number;
  readonly chunkBytes: number;
  readonly chunks: ChunkDigests;
}

/** What file systems allocate, and what bmaptool counts in by default. */
const usualBlockBytes = 4096;

/** Makes the map, as XML. */
export async function bmapOf(image: ChunkList): Promise<string> {
  // The file's checksum is that of the file with zeros in the checksum's place.
  const checksum = await sha256HexOfText(xmlOf(image, "0".repeat(64)));
  return xmlOf(image, checksum);
}

function xmlOf({ size, chunkBytes, chunks }: ChunkList, checksum: string): string {
  const blockBytes = greatestCommonDivisor(chunkBytes, usualBlockBytes);
  const blocks = Math.ceil(size / blockBytes);
  const perChunk = chunkBytes / blockBytes;
  let mapped = 0;
  const ranges = chunks.flatMap((digest, index) => {
    if (digest === null) return [];
    const [first, last] = [index * perChunk, Math.min((index + 1) * perChunk, blocks) - 1];
    mapped += last - first + 1;
    return `        <Range chksum="${digest}"> ${first === last ? first : `${first}-${last}`} </Range>\n`;
  });
  return `<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> ${size} </ImageSize>
    <BlockSize> ${blockBytes} </BlockSize>
    <BlocksCount> ${blocks} </BlocksCount>
    <MappedBlocksCount> ${mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> ${checksum} </BmapFileChecksum>
    <BlockMap>
${ranges.join("")}    </BlockMap>
</bmap>
`;
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other);
}
