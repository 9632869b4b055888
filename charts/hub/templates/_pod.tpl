{{/* The variables of every process; a name that starts with HUB_ is a setting of the hub. */}}
{{- define "hub.env" -}}
{{- $root := . -}}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- $store := ternary (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY") list .Values.bundled.s3.enabled }}
{{- range $name := concat (list "HUB_SECRET_KEY" "HUB_DATABASE_URL" "HUB_BROKER_URL") $store .Values.secret.more | uniq }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ include "hub.secret" $root }}, key: {{ $name }}}}
{{- end }}
{{- if eq (include "hub.storageKind" .) "s3" }}
- name: HUB_STORAGE_URL
  valueFrom: {secretKeyRef: {name: {{ include "hub.secret" . }}, key: HUB_STORAGE_URL}}
{{- else }}
- {name: HUB_STORAGE_URL, value: "file:///var/lib/avrop/spool"}
{{- end }}
- {name: HUB_STATE_DIR, value: /var/lib/avrop}
- {name: HUB_BIND, value: 0.0.0.0}
- {name: HUB_HTTP_PORT, value: "8000"}
- {name: HUB_DICOM_PORT, value: "11112"}
- {name: HUB_HL7_PORT, value: "2575"}
- {name: HUB_HEARTBEAT_FILE, value: /tmp/alive}
- {name: HUB_HTTPS, value: {{ ternary "on" "off" .Values.https | quote }}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: HUB_ALLOWED_HOSTS
  value: {{ concat .Values.hosts (list "localhost" (printf "%s-web" (include "hub.fullname" .)) (include "hub.webName" .) "$(POD_IP)") | join "," | quote }}
- name: HUB_TRUSTED_ORIGINS
  value: {{ range $place, $host := .Values.hosts }}{{ if $place }},{{ end }}{{ ternary "https" "http" $.Values.https }}://{{ $host }}{{ end }}
{{- with .Values.web.trustedProxies }}
- {name: HUB_TRUSTED_PROXIES, value: {{ join "," . | quote }}}
{{- end }}
{{- if .Values.gpu.enabled }}
{{ include "hub.clusterEnv" . }}
{{- end }}
{{- end }}

{{- define "hub.clusterEnv" -}}
- {name: HUB_CLUSTER_NAMESPACE, value: {{ .Values.gpu.namespace | quote }}}
- {name: HUB_CLUSTER_HUB_URL, value: "http://{{ include "hub.webName" . }}:8000"}
- {name: HUB_CLUSTER_CARRIER_IMAGE, value: {{ include "hub.image" . | quote }}}
- {name: HUB_CLUSTER_CARRIER_COMMAND, value: "python -I -S /app/vendors/performers/carrier.py"}
- {name: HUB_CLUSTER_ATTENDANT_COMMAND, value: "python -I -S /app/vendors/performers/attendant.py"}
- {name: HUB_CLUSTER_WALL_COMMAND, value: "python -I -S /app/vendors/performers/wall.py"}
- {name: HUB_CLUSTER_WALL_SECONDS, value: {{ .Values.gpu.wall.seconds | quote }}}
{{- with .Values.gpu.wall.addresses }}
- {name: HUB_CLUSTER_WALL_ADDRESSES, value: {{ join "," . | quote }}}
{{- end }}
- {name: HUB_CLUSTER_GPU_RESOURCE, value: {{ .Values.gpu.resourceName | quote }}}
{{- with .Values.gpu.resources }}
{{- $pairs := list }}{{ range $key, $value := . }}{{ $pairs = append $pairs (printf "%s=%s" $key $value) }}{{ end }}
- {name: HUB_CLUSTER_GPU_RESOURCES, value: {{ join "," $pairs | quote }}}
{{- end }}
- {name: HUB_CLUSTER_TOLERATIONS, value: {{ join "," .Values.gpu.tolerations | quote }}}
- name: HUB_CLUSTER_PRIORITY_CLASSES
  value: {{ with .Values.gpu.priorityClasses }}{{ .stat }},{{ .routine }},{{ .background }}{{ end }}
{{- with .Values.gpu.nodeSelector }}
{{- $pairs := list }}{{ range $key, $value := . }}{{ $pairs = append $pairs (printf "%s=%s" $key $value) }}{{ end }}
- {name: HUB_CLUSTER_NODE_SELECTOR, value: {{ join "," $pairs | quote }}}
{{- end }}
{{- with .Values.gpu.runtimeClass }}
- {name: HUB_CLUSTER_RUNTIME_CLASS, value: {{ . | quote }}}
{{- end }}
{{- with .Values.gpu.pullSecrets }}
- {name: HUB_CLUSTER_PULL_SECRETS, value: {{ join "," . | quote }}}
{{- end }}
{{- with .Values.gpu.kueueQueue }}
- {name: HUB_CLUSTER_KUEUE_QUEUE, value: {{ . | quote }}}
{{- end }}
{{- end }}

{{/*
The pod of one process: "root", "component", "args", "resources", and where they differ "probes" (YAML),
"ports" (name to number), "grace" (seconds), "leave" (seconds before SIGTERM in which the Service
forgets the pod), "talksToCluster", "restartPolicy", "hasOwnDisk" (a StatefulSet gives it its volume "state").
*/}}
{{- define "hub.pod" -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "hub.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  {{- with $root.Values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if .talksToCluster }}
  serviceAccountName: {{ include "hub.fullname" $root }}-cluster
  automountServiceAccountToken: true
  {{- else }}
  {{- if not .isHook }}
  serviceAccountName: {{ include "hub.fullname" $root }}
  {{- end }}
  automountServiceAccountToken: false
  {{- end }}
  enableServiceLinks: false
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .grace | default 60 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets: {{- range . }}
    - name: {{ . }}
  {{- end }}{{ end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if not .restartPolicy }}
  topologySpreadConstraints:
    {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "hub.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $.component }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "hub.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{- toYaml .args | nindent 8 }}
      env: {{- include "hub.env" $root | nindent 8 }}
        {{- if .leave }}
        # Less than the grace of the pod: what does not end by then is ended in order, and not killed.
        - {name: HUB_DRAIN_SECONDS, value: {{ sub (int .grace) 20 | quote }}}
        {{- end }}
      {{- with .ports }}
      ports:
        {{- range $name, $port := . }}
        - {name: {{ $name }}, containerPort: {{ $port }}}
        {{- end }}
      {{- end }}
      {{- with .probes }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with .leave }}
      lifecycle:
        preStop: {exec: {command: [sleep, {{ . | quote }}]}}
      {{- end }}
      resources: {{- toYaml .resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: state, mountPath: /var/lib/avrop}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
    {{- if not .hasOwnDisk }}
    - name: state
      {{- if or (eq (include "hub.storageKind" $root) "s3") .isHook }}
      emptyDir: {}
      {{- else }}
      persistentVolumeClaim:
        claimName: {{ $root.Values.storage.existingClaim | default (printf "%s-state" (include "hub.fullname" $root)) }}
      {{- end }}
    {{- end }}
{{- end }}

{{- define "hub.aliveProbe" -}}
startupProbe:
  exec: {command: [python, -I, -S, hub/alive.py, /tmp/alive, "30"]}
  periodSeconds: 5
  failureThreshold: 36
livenessProbe:
  exec: {command: [python, -I, -S, hub/alive.py, /tmp/alive, "60"]}
  periodSeconds: 20
  timeoutSeconds: 5
{{- end }}
