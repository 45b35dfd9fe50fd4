{{/* Environment of a process: dict root, name, facts. Names are settings of twm (settings.py of each). */}}
{{- define "twm.environment" -}}
{{- $root := .root -}}
{{- $v := .root.Values -}}
{{- $process := index $v.processes .name -}}
{{- $host := $v.listenHost -}}
{{- if and (eq .name "gateway") (not (include "twm.gatewayOpen" .root)) }}{{ $host = "127.0.0.1" }}{{ end }}
- name: TWM_NETWORK
  value: {{ ternary "/etc/twm/network/network.yaml" $v.network.name (ne (include "twm.networkConfigMap" .root) "") | quote }}
- name: TWM_INSTANCE
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: TWM_LOG_LEVEL
  value: {{ $v.logLevel | quote }}
{{- if $v.tracing.endpoint }}
- name: TWM_OTLP_ENDPOINT
  value: {{ $v.tracing.endpoint | quote }}
- name: TWM_OTLP_RATIO
  value: {{ toJson $v.tracing.ratio | quote }}
{{- end }}
- name: TWM_HTTP_LISTEN
  value: {{ printf "%s:8080" $host | quote }}
{{- if .facts.grpc }}
- name: TWM_GRPC_LISTEN
  value: {{ printf "%s:50051" $host | quote }}
{{- end }}
{{- range .facts.peers }}
{{- if not (hasKey $process.settings (printf "TWM_%s_TARGET" (upper .))) }}
- name: {{ printf "TWM_%s_TARGET" (upper .) }}
  value: {{ printf "%s-%s:50051" (include "twm.fullname" $root) . | quote }}
{{- end }}
{{- end }}
{{- if .facts.redis }}
{{- if and (not $v.redis.bundled.enabled) $v.redis.external.existingSecret.name }}
- name: TWM_REDIS_URL
  valueFrom:
    secretKeyRef: {name: {{ $v.redis.external.existingSecret.name | quote }}, key: {{ $v.redis.external.existingSecret.key | quote }}}
{{- else }}
{{- if and $v.redis.bundled.enabled $v.redis.bundled.existingSecret.name }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $v.redis.bundled.existingSecret.name | quote }}, key: {{ $v.redis.bundled.existingSecret.key | quote }}}
{{- end }}
- name: TWM_REDIS_URL
  value: {{ include "twm.redisUrl" .root | quote }}
{{- end }}
{{- end }}
{{- if eq .name "inference" }}
- name: TWM_WORKER_THREADS
  valueFrom:
    resourceFieldRef: {containerName: inference, resource: limits.cpu, divisor: "1"}
- name: TWM_USE_CUDA
  value: {{ $process.gpu.enabled | quote }}
{{- if ne $v.models.source "image" }}
- name: TWM_ZOO
  value: /zoo
{{- end }}
{{- end }}
{{- if eq .name "gateway" }}
- name: TWM_STATE_DIR
  value: /var/lib/twm
- name: TWM_GUARDRAIL
  value: {{ ternary "/etc/twm/guardrail/guardrail.yaml" $v.guardrail.name (ne (include "twm.guardrailConfigMap" .root) "") | quote }}
{{- if include "twm.gatewayOpen" .root }}
- name: TWM_AUTH
  value: jwt
- name: TWM_AUTH_ISSUER
  value: {{ required "auth.issuer: needed with auth.mode jwt" $v.auth.issuer | quote }}
- name: TWM_AUTH_AUDIENCE
  value: {{ required "auth.audience: needed with auth.mode jwt" $v.auth.audience | quote }}
- name: TWM_AUTH_JWKS
  {{- if $v.auth.jwksConfigMap.name }}
  value: /etc/twm/jwks/jwks.json
  {{- else }}
  value: {{ required "auth.jwksUrl (or auth.jwksConfigMap.name): needed with auth.mode jwt" $v.auth.jwksUrl | quote }}
  {{- end }}
- name: TWM_AUTH_ROLES_CLAIM
  value: {{ $v.auth.rolesClaim | quote }}
- name: TWM_AUTH_ROLE_PREFIX
  value: {{ $v.auth.rolePrefix | quote }}
{{- else }}
- name: TWM_AUTH
  value: development
- name: TWM_AUTH_DEVELOPMENT_ROLE
  value: {{ $v.auth.loopbackRole | quote }}
{{- end }}
{{- end }}
{{- if eq .name "gateway" }}
{{- if $v.a1.enabled }}
- name: TWM_A1_PEER
  value: {{ $v.a1.peer | quote }}
- name: TWM_A1_URL
  value: {{ required "a1.url: needed with a1.enabled" $v.a1.url | quote }}
- name: TWM_A1_RIC_ID
  value: {{ $v.a1.ricId | quote }}
- name: TWM_A1_ID_PREFIX
  value: {{ $v.a1.idPrefix | quote }}
- name: TWM_A1_CALLBACK_URL
  value: {{ $v.a1.callbackUrl | quote }}
{{- if $v.a1.tls.caSecret }}
- name: TWM_A1_TLS_CA
  value: /etc/twm/a1-ca/ca.crt
{{- end }}
{{- if include "twm.a1ClientSecret" .root }}
- name: TWM_A1_TLS_CERT
  value: /etc/twm/a1-client/tls.crt
- name: TWM_A1_TLS_KEY
  value: /etc/twm/a1-client/tls.key
{{- end }}
{{- if $v.a1.oauth.tokenUrl }}
- name: TWM_A1_OAUTH_TOKEN_URL
  value: {{ $v.a1.oauth.tokenUrl | quote }}
- name: TWM_A1_OAUTH_CLIENT_ID
  value: {{ required "a1.oauth.clientId: needed with a1.oauth.tokenUrl" $v.a1.oauth.clientId | quote }}
- name: TWM_A1_OAUTH_CLIENT_SECRET_FILE
  value: /etc/twm/a1-oauth/{{ $v.a1.oauth.existingSecret.key }}
- name: TWM_A1_OAUTH_SCOPE
  value: {{ $v.a1.oauth.scope | quote }}
{{- end }}
{{- end }}
{{- if $v.languageModel.url }}
- name: TWM_LLM_URL
  value: {{ $v.languageModel.url | quote }}
- name: TWM_LLM_MODEL
  value: {{ required "languageModel.model: needed with languageModel.url" $v.languageModel.model | quote }}
- name: TWM_LLM_PROMPT
  value: {{ $v.languageModel.prompt | quote }}
{{- if $v.languageModel.existingSecret.name }}
- name: TWM_LLM_API_KEY_FILE
  value: /etc/twm/llm/{{ $v.languageModel.existingSecret.key }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq .name "ric" }}
- name: TWM_STATE_DIR
  value: /var/lib/twm
- name: TWM_RIC_ADAPTER
  value: {{ $v.ric.adapter | quote }}
- name: TWM_RIC_CONTROL
  value: {{ ternary "off" $v.ric.control (eq $v.ric.control "none") | quote }}
{{- if $v.ric.nodes }}
- name: TWM_RIC_NODES
  value: /etc/twm/ric/nodes.yaml
{{- end }}
{{- if eq $v.ric.adapter "oransc" }}
- name: TWM_RIC_HTTP_LISTEN
  value: {{ printf "%s:8081" $host | quote }}
- name: TWM_RIC_CLIENT_HOST
  value: {{ printf "%s-ric.%s" (include "twm.fullname" .root) .root.Release.Namespace | quote }}
- name: TWM_RIC_SUBMGR_URL
  value: {{ $v.ric.platform.subscriptionManager | quote }}
- name: TWM_RIC_DISCOVERY
  value: {{ ternary "e2mgr" "none" (ne $v.ric.platform.e2Manager "") | quote }}
{{- with $v.ric.platform.e2Manager }}
- name: TWM_RIC_E2MGR_URL
  value: {{ . | quote }}
{{- end }}
- name: TWM_RIC_APPMGR_URL
  value: {{ $v.ric.platform.applicationManager | quote }}
# A1 policies of an SMO go on to the gateway, which only listens beyond its pod where tokens are checked.
- name: TWM_RIC_A1_TYPES
  value: {{ ternary $v.ric.a1Types "" (ne (include "twm.gatewayOpen" .root) "") | quote }}
{{- if $v.ric.gatewayToken.existingSecret.name }}
- name: TWM_RIC_GATEWAY_TOKEN_FILE
  value: /etc/twm/gateway-token/{{ $v.ric.gatewayToken.existingSecret.key }}
{{- end }}
- name: RMR_SRC_ID
  value: {{ printf "%s-ric.%s" (include "twm.fullname" .root) .root.Release.Namespace | quote }}
- name: RMR_RTG_SVC
  value: {{ $v.ric.platform.routeManager | quote }}
{{- else if eq $v.ric.adapter "pm" }}
- name: TWM_PM_FOLDER
  value: /pm
{{- end }}
{{- end }}
{{- if hasPrefix "twm_twin" .facts.module }}
- name: NUMBA_CACHE_DIR
  value: /tmp/numba
{{- end }}
{{- range $key, $value := $process.settings }}
- name: {{ $key }}
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end -}}

{{/* Volumes and mounts of a process, as one list of {mount, volume}; a StatefulSet's own volume has no `volume`. */}}
{{- define "twm.storage" -}}
{{- $v := .root.Values -}}
- mount: {name: tmp, mountPath: /tmp}
  volume: {name: tmp, emptyDir: {sizeLimit: 256Mi}}
{{- if .facts.state }}
- mount: {name: state, mountPath: /var/lib/twm}
{{- end }}
{{- with include "twm.networkConfigMap" .root }}
- mount: {name: network, mountPath: /etc/twm/network, readOnly: true}
  volume: {name: network, configMap: {name: {{ . | quote }}, items: [{key: {{ $v.network.existingConfigMap.key | quote }}, path: network.yaml}]}}
{{- end }}
{{- if and .facts.redis (not $v.redis.bundled.enabled) $v.redis.external.caSecret }}
- mount: {name: redis-ca, mountPath: /etc/twm/redis, readOnly: true}
  volume: {name: redis-ca, secret: {secretName: {{ $v.redis.external.caSecret | quote }}}}
{{- end }}
{{- if eq .name "gateway" }}
{{- with include "twm.guardrailConfigMap" .root }}
- mount: {name: guardrail, mountPath: /etc/twm/guardrail, readOnly: true}
  volume: {name: guardrail, configMap: {name: {{ . | quote }}, items: [{key: {{ $v.guardrail.existingConfigMap.key | quote }}, path: guardrail.yaml}]}}
{{- end }}
{{- if and (include "twm.gatewayOpen" .root) $v.auth.jwksConfigMap.name }}
- mount: {name: jwks, mountPath: /etc/twm/jwks, readOnly: true}
  volume: {name: jwks, configMap: {name: {{ $v.auth.jwksConfigMap.name | quote }}, items: [{key: {{ $v.auth.jwksConfigMap.key | quote }}, path: jwks.json}]}}
{{- end }}
{{- end }}
{{- if and (eq .name "gateway") $v.a1.enabled }}
{{- with $v.a1.tls.caSecret }}
- mount: {name: a1-ca, mountPath: /etc/twm/a1-ca, readOnly: true}
  volume: {name: a1-ca, secret: {secretName: {{ . | quote }}, defaultMode: 288}}
{{- end }}
{{- with include "twm.a1ClientSecret" .root }}
- mount: {name: a1-client, mountPath: /etc/twm/a1-client, readOnly: true}
  volume: {name: a1-client, secret: {secretName: {{ . | quote }}, defaultMode: 288}}
{{- end }}
{{- if $v.a1.oauth.tokenUrl }}
- mount: {name: a1-oauth, mountPath: /etc/twm/a1-oauth, readOnly: true}
  volume: {name: a1-oauth, secret: {secretName: {{ required "a1.oauth.existingSecret.name: needed with a1.oauth.tokenUrl" $v.a1.oauth.existingSecret.name | quote }}, defaultMode: 288}}
{{- end }}
{{- end }}
{{- if and (eq .name "gateway") $v.languageModel.url $v.languageModel.existingSecret.name }}
- mount: {name: llm, mountPath: /etc/twm/llm, readOnly: true}
  volume: {name: llm, secret: {secretName: {{ $v.languageModel.existingSecret.name | quote }}, defaultMode: 288}}
{{- end }}
{{- if eq .name "ric" }}
{{- if $v.ric.nodes }}
- mount: {name: nodes, mountPath: /etc/twm/ric, readOnly: true}
  volume: {name: nodes, configMap: {name: {{ include "twm.fullname" .root }}-ric-nodes}}
{{- end }}
{{- if and (eq $v.ric.adapter "oransc") $v.ric.gatewayToken.existingSecret.name }}
- mount: {name: gateway-token, mountPath: /etc/twm/gateway-token, readOnly: true}
  volume: {name: gateway-token, secret: {secretName: {{ $v.ric.gatewayToken.existingSecret.name | quote }}, defaultMode: 288}}
{{- end }}
{{- if eq $v.ric.adapter "pm" }}
- mount: {name: pm, mountPath: /pm, readOnly: true}
  volume: {name: pm, persistentVolumeClaim: {claimName: {{ required "ric.pm.existingClaim: needed with ric.adapter pm" $v.ric.pm.existingClaim | quote }}, readOnly: true}}
{{- end }}
{{- end }}
{{- if eq .name "inference" }}
{{- if eq $v.models.source "oci" }}
- mount: {name: zoo, mountPath: /zoo, readOnly: true}
  volume: {name: zoo, image: {reference: {{ required "models.oci.reference: needed with models.source oci" $v.models.oci.reference | quote }}, pullPolicy: {{ $v.models.oci.pullPolicy }}}}
{{- else if eq $v.models.source "pvc" }}
- mount: {name: zoo, mountPath: /zoo, readOnly: {{ $v.models.pvc.readOnly }}}
  volume: {name: zoo, persistentVolumeClaim: {claimName: {{ required "models.pvc.existingClaim: needed with models.source pvc" $v.models.pvc.existingClaim | quote }}, readOnly: {{ $v.models.pvc.readOnly }}}}
{{- else if eq $v.models.source "configMap" }}
{{- if not $v.models.configMaps }}{{ fail "models.configMaps: needed with models.source configMap" }}{{ end }}
- mount: {name: zoo, mountPath: /zoo, readOnly: true}
  volume:
    name: zoo
    projected:
      sources:
        {{- range $v.models.configMaps }}
        - configMap: {{ toJson . }}
        {{- end }}
{{- end }}
{{- end }}
{{- range $index, $secret := (index $v.processes .name).secretMounts }}
- mount: {name: secret-{{ $index }}, mountPath: {{ $secret.mountPath | quote }}, readOnly: true}
  volume: {name: secret-{{ $index }}, secret: {secretName: {{ $secret.secretName | quote }}, defaultMode: 288}}
{{- end }}
{{- end -}}

{{/* One probe. Where the gateway listens on loopback the kubelet cannot reach it, so the container asks itself. */}}
{{- define "twm.probe" -}}
{{- if .ownLoopback }}
exec: {command: [python, -m, twm.cli.healthcheck, "http://127.0.0.1:8080{{ .path }}"]}
{{- else }}
httpGet: {path: {{ .path }}, port: http}
{{- end }}
timeoutSeconds: {{ ternary 5 2 .ownLoopback }}
{{- end -}}

{{/* Deployment (or StatefulSet where the process keeps files) of one process: dict root, name, facts. */}}
{{- define "twm.workload" -}}
{{- $root := .root -}}
{{- $v := .root.Values -}}
{{- $process := index $v.processes .name -}}
{{- $gpu := and (eq .name "inference") ($process.gpu).enabled -}}
{{- $keda := and (hasKey $process "keda") ($process.keda).enabled -}}
{{- $selector := dict "root" .root "component" .name -}}
{{- $storage := include "twm.storage" . | fromYamlArray -}}
{{- $ownLoopback := and (eq .name "gateway") (not (include "twm.gatewayOpen" .root)) -}}
{{- $image := ternary "inference-gpu" .facts.image $gpu -}}
apiVersion: apps/v1
kind: {{ ternary "StatefulSet" "Deployment" .facts.state }}
metadata:
  name: {{ include "twm.fullname" .root }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "twm.labels" $selector | nindent 4 }}
spec:
  {{- if not (or ($process.autoscaling).enabled $keda) }}
  replicas: {{ $process.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  selector:
    matchLabels: {{- include "twm.selector" $selector | nindent 6 }}
  {{- if .facts.state }}
  serviceName: {{ include "twm.fullname" .root }}-{{ .name }}
  podManagementPolicy: Parallel
  updateStrategy: {type: RollingUpdate}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
  volumeClaimTemplates:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: state
        labels: {{- include "twm.selector" $selector | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $process.persistence.storageClassName }}
        storageClassName: {{ . | quote }}
        {{- end }}
        resources: {requests: {storage: {{ $process.persistence.size | quote }}}}
  {{- else }}
  strategy:
    type: {{ ternary "Recreate" "RollingUpdate" (eq .name "emulator") }}
    {{- if ne .name "emulator" }}
    # A GPU is seldom spare: an old pod goes first there.
    rollingUpdate: {maxSurge: {{ ternary 0 1 $gpu }}, maxUnavailable: {{ ternary 1 0 $gpu }}}
    {{- end }}
  {{- end }}
  template:
    metadata:
      labels: {{- include "twm.labels" $selector | nindent 8 }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .name }}
        checksum/config: {{ include "twm.configChecksum" .root }}
        {{- with $process.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ ternary (printf "%s-%s" (include "twm.fullname" .root) .name) "default" $v.serviceAccount.create }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
      securityContext: {{- include "twm.podSecurity" .root | nindent 8 }}
      {{- with $v.images.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . | quote }}
        {{- end }}
      {{- end }}
      {{- with $v.priorityClass.name }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      {{- with ($gpu | ternary ($process.gpu).runtimeClassName "") | default $process.scheduling.runtimeClassName }}
      runtimeClassName: {{ . | quote }}
      {{- end }}
      {{- with merge dict ($gpu | ternary ($process.gpu).nodeSelector dict) ($process.scheduling.nodeSelector | default dict) }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with concat ($gpu | ternary ($process.gpu).tolerations list) ($process.scheduling.tolerations | default list) }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $process.scheduling.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if $v.topologySpread.enabled }}
      topologySpreadConstraints:
        {{- range $v.topologySpread.topologyKeys }}
        - maxSkew: 1
          topologyKey: {{ . | quote }}
          whenUnsatisfiable: {{ $v.topologySpread.whenUnsatisfiable }}
          labelSelector:
            matchLabels: {{- include "twm.selector" $selector | nindent 14 }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ include "twm.image" (dict "root" .root "image" $image) | quote }}
          imagePullPolicy: {{ $v.images.pullPolicy }}
          command: [python, -m, {{ .facts.module }}]
          env: {{- include "twm.environment" . | trim | nindent 12 }}
          ports:
            - {name: http, containerPort: 8080, protocol: TCP}
            {{- if .facts.grpc }}
            - {name: grpc, containerPort: 50051, protocol: TCP}
            {{- end }}
            {{- if eq .name "ric" }}
            {{- range $port, $number := include "twm.ricPorts" .root | fromYaml }}
            - {name: {{ $port }}, containerPort: {{ $number }}, protocol: TCP}
            {{- end }}
            {{- end }}
          startupProbe:
            {{- include "twm.probe" (dict "path" "/livez" "ownLoopback" $ownLoopback) | nindent 12 }}
            periodSeconds: 2
            failureThreshold: 60
          livenessProbe:
            {{- include "twm.probe" (dict "path" "/livez" "ownLoopback" $ownLoopback) | nindent 12 }}
            periodSeconds: 10
            failureThreshold: 3
          readinessProbe:
            {{- include "twm.probe" (dict "path" "/readyz" "ownLoopback" $ownLoopback) | nindent 12 }}
            periodSeconds: {{ ternary 10 5 $ownLoopback }}
            failureThreshold: 2
          {{- $resources := deepCopy $process.resources }}
          {{- if $gpu }}
          {{- $_ := set $resources "limits" (merge (dict $process.gpu.resourceName $process.gpu.count) ($resources.limits | default dict)) }}
          {{- end }}
          resources: {{- toYaml $resources | nindent 12 }}
          securityContext: {{- include "twm.containerSecurity" .root | nindent 12 }}
          terminationMessagePolicy: FallbackToLogsOnError
          volumeMounts:
            {{- range $storage }}
            - {{ toJson .mount }}
            {{- end }}
      volumes:
        {{- range $storage }}
        {{- with .volume }}
        - {{ toJson . }}
        {{- end }}
        {{- end }}
{{- end -}}

{{/* Changes with what the ConfigMaps of the chart hold, so that pods start anew with it. */}}
{{- define "twm.configChecksum" -}}
{{- toJson (dict "network" .Values.network "guardrail" .Values.guardrail "nodes" .Values.ric.nodes) | sha256sum -}}
{{- end -}}
