// The configuration of a Ceph cluster of one: one monitor, one OSD with its objects in memory, one S3 gateway.

/** Where the cluster lives. */
export interface CephPlace {
  readonly directory: string;
  readonly fsid: string;
  readonly monitorPort: number;
  readonly gatewayPort: number;
}

/** Domain below which buckets are host names (virtual-hosted style). */
export const gatewayDomain = "s3.test";

/** Text of its `ceph.conf`. */
export function cephConf({ directory, fsid, monitorPort, gatewayPort }: CephPlace): string {
  return `[global]
fsid = ${fsid}
run dir = ${directory}
admin socket = ${directory}/$name.asok
log file = ${directory}/$name.log
pid file =
mon host = [v1:127.0.0.1:${monitorPort}]
mon data = ${directory}/mon.a
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind msgr2 = false
ms bind ipv6 = false
ms mon service mode = crc
auth cluster required = none
auth service required = none
auth client required = none
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 1
mon max pg per osd = 2000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd crush update on start = false
osd class update on start = false
osd data = ${directory}/osd.$id
osd objectstore = memstore
memstore device bytes = 8589934592
osd memory target = 1073741824
osd scrub load threshold = 0
osd class load list = *
osd class default list = *
[mon.a]
mon addr = 127.0.0.1:${monitorPort}
[client.rgw.test]
# Without tcp_nodelay every small answer takes 44 ms.
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1
rgw data = ${directory}/rgw
rgw dns name = ${gatewayDomain}
rgw enable usage log = false
rgw enable ops log = false
rgw thread pool size = 64
rgw run sync thread = false
`;
}
