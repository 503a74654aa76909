{{/* What all templates share. Names are fixed: the operator and the agents know them. */}}

{{- define "skerry.namespace" -}}
{{- if ne .Release.Namespace "skerry-system" -}}
{{- fail (printf "install Skerry into the namespace skerry-system, not %s: its agents and policies know it by that name (helm ... --namespace skerry-system --create-namespace)" .Release.Namespace) -}}
{{- end -}}
skerry-system
{{- end -}}

{{/* Labels of an object; call with a dict of root and component. */}}
{{- define "skerry.labels" -}}
app.kubernetes.io/name: skerry
app.kubernetes.io/part-of: skerry
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* Of what devices need to serve on: it outlives the release by default. */}}
{{- define "skerry.kept" -}}
{{- if .Values.uninstall.keepDevices -}}
annotations: {helm.sh/resource-policy: keep}
{{- end -}}
{{- end -}}

{{/* Of an object that is there for one hook only; call with a dict of hook and weight. */}}
{{- define "skerry.hook" -}}
helm.sh/hook: {{ .hook }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
helm.sh/hook-output-log-policy: hook-succeeded,hook-failed
{{- end -}}

{{/* What a workload finds its pods by; never changes. */}}
{{- define "skerry.selector" -}}
app.kubernetes.io/name: skerry
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "skerry.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Of every container but the one that prepares the host directory. */}}
{{- define "skerry.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "skerry.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* On every node that has a hardware class. Affinity, so that a class may come and go. */}}
{{- define "skerry.deviceAffinity" -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      - matchExpressions:
          - {key: skerry.node-restriction.kubernetes.io/hardware-class, operator: Exists}
{{- end -}}

{{/* The node's own subfolder of the host directory, which agent and gateway share. */}}
{{- define "skerry.deviceMount" -}}
- name: device
  mountPath: /var/lib/skerry
  subPathExpr: $(NODE_NAME)
{{- end -}}

{{- define "skerry.deviceVolume" -}}
- name: device
  hostPath: {path: {{ .Values.device.hostPath }}, type: DirectoryOrCreate}
{{- end -}}

{{- define "skerry.nodeName" -}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
{{- end -}}

{{/* The kubelet makes the subfolder as root; call with a dict of root and image. */}}
{{- define "skerry.prepareDevice" -}}
- name: prepare-directory
  image: {{ .image }}
  command: [chown, "65532:65532", /var/lib/skerry]
  env:
    {{- include "skerry.nodeName" .root | nindent 4 }}
  securityContext:
    runAsNonRoot: false
    runAsUser: 0
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL], add: [CHOWN]}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    {{- include "skerry.deviceMount" .root | nindent 4 }}
{{- end -}}

{{/* The engines that have images; a chart without any could build nothing. */}}
{{- define "skerry.engines" -}}
{{- $installed := dict -}}
{{- range $name, $engine := .Values.engines -}}
{{- if and $engine.optimizerImage $engine.runtimeImage -}}
{{- $_ := set $installed $name $engine -}}
{{- else if or $engine.optimizerImage $engine.runtimeImage -}}
{{- fail (printf "engines.%s needs both optimizerImage and runtimeImage, or neither to leave it out" $name) -}}
{{- end -}}
{{- end -}}
{{- if not $installed -}}
{{- fail "no engine is installed: give optimizerImage and runtimeImage of at least one, such as engines.ONNXRuntime" -}}
{{- end -}}
{{- toYaml $installed -}}
{{- end }}
