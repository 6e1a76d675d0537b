/** Lines of logs and command lines with secrets, each of which has `hunter` in it; what must be left of each. */
export interface SecretLine {
  readonly line: string;
  readonly kept: readonly string[];
}

export const SECRET_LINES: readonly SecretLine[] = [
  { line: "ro iscsi.password=hunter2 nfs=nfs://ann:hunter3@10.0.0.1/x b=c", kept: ["ro ", "@10.0.0.1/x b=c"] },
  {
    line: "cifsroot=//srv/share,username=u,password=hunter2 quiet",
    kept: ["cifsroot=//srv/share,username=u,", " quiet"],
  },
  {
    line: "coreos.inst.ignition_url=https://s3.x/a.ign?X-Amz-Signature=hunter1 x=y",
    kept: ["https://s3.x/a.ign", " x=y"],
  },
  { line: "ds=nocloud;s=https://h/?sig=hunter8 ro", kept: ["ds=nocloud;s=https://h/", " ro"] },
  { line: "ignition.config.url=https://x/y?sv=1&sig=hunter9", kept: ["https://x/y"] },
  { line: "wpa_psk=hunter sshkey=hunter rootpw=hunter user_pw=hunter pwd=hunter pin=hunter ro", kept: [" ro"] },
  { line: "systemd.setenv=DB_PASSWORD=hunter10 rd.break", kept: ["systemd.setenv=DB_PASSWORD=", " rd.break"] },
  { line: 'systemd.run="curl -H hunter11" ro', kept: [" ro"] },
  { line: "systemd.set_credential=login:hunter ro", kept: [" ro"] },
  { line: 'foo.password="hunter and hunter" x=y', kept: [" x=y"] },
  { line: '"foo.password=hunter and hunter" x=y', kept: [" x=y"] },
  { line: "netroot=iscsi:ann:hunter@host:3260 root=UUID=abc", kept: ["@host:3260 root=UUID=abc"] },
  { line: "quiet -- --password hunter --verbose --api-token=hunter x", kept: ["quiet -- --password ", " x"] },
  {
    line: '[    0.010100] Unknown kernel command line parameters "BOOT_IMAGE=/vmlinuz my_token=hunter22 secret=hunter23", will be passed to user space.',
    kept: ["[    0.010100] Unknown kernel command line parameters"],
  },
  { line: "[    1.100050]     my_token=hunter24", kept: ["[    1.100050]     my_token="] },
  { line: "[    1.100060]     secret=hunter25 hunter more", kept: ["[    1.100060]     secret="] },
  {
    line: "[    1.2] audit: type=1309 audit(1.2:3): argc=3 a0=hunter a1=hunter proctitle=hunter exe=/x",
    kept: ["audit: type=1309", "exe=/x"],
  },
  { line: '[    1.2] audit: type=1100 cmdline="--password hunter" res=1', kept: ["audit: type=1100", "res=1"] },
  { line: "[    2.0] app: Authorization: Bearer hunter done", kept: ["[    2.0] app: ", " done"] },
  { line: "[    2.1] app: get https://ann:hunter@host/path", kept: ["@host/path"] },
  {
    line: "[    2.2] app: GOOG X-Goog-Credential=hunter&X-Goog-Signature=hunter&Key-Pair-Id=x",
    kept: ["[    2.2] app: GOOG "],
  },
];
