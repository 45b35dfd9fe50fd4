{{/*
The processes, as data. Everything that differs between them stands here; _workload.tpl renders all of them.
  module   what `python -m` starts
  image    last part of the image's name
  grpc     serves gRPC
  peers    processes it calls by gRPC (TWM_<PEER>_TARGET; also the network policies)
  redis    reads or writes the streams
  state    keeps files: a StatefulSet with a volume of its own for each replica
  (ric with adapter oransc also has the ports xapp, rmr-data and rmr-route: twm.ricPorts)
  stream   stream and consumer group whose lag tells how far behind it is
*/}}
{{- define "twm.processes" -}}
ingester: {module: twm.ingester, image: ingester, grpc: true, redis: true, state: false, peers: []}
inference: {module: twm.inference, image: inference, grpc: true, redis: true, state: false, peers: []}
planner: {module: twm.planner, image: planner, grpc: false, redis: true, state: false, peers: [inference, twin], stream: frames, group: planner}
gateway: {module: twm.gateway, image: gateway, grpc: true, redis: true, state: true, peers: [inference, twin], stream: proposals, group: gateway}
ric: {module: twm.ric, image: ric, grpc: false, redis: true, state: true, peers: [ingester, gateway]}
twin: {module: twm_twin, image: twin, grpc: true, redis: false, state: false, peers: []}
emulator: {module: twm_twin.e2, image: twin, grpc: false, redis: false, state: false, peers: [ingester]}
{{- end -}}

{{/* The processes that are switched on: name -> facts. */}}
{{- define "twm.enabled" -}}
{{- $all := include "twm.processes" . | fromYaml -}}
{{- range $name, $facts := $all }}
{{- if (index $.Values.processes $name).enabled }}
{{ $name }}: {{ toJson $facts }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Ports that the RIC's platform calls; none but with adapter oransc. */}}
{{- define "twm.ricPorts" -}}
{{- if eq .Values.ric.adapter "oransc" -}}
{xapp: 8081, rmr-data: 4560, rmr-route: 4561}
{{- else -}}
{}
{{- end -}}
{{- end -}}
