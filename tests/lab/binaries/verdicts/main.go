// Verdicts says how GitOps tools see objects: Argo CD, by the health checks in Lua of its
// argocd-cm, and kstatus, by which Flux, Helm and Cluster API wait.
//
// Standard input is one JSON document, {"config": DATA, "objects": [OBJECT...]}, where DATA is the
// `data` of an argocd-cm. Standard output is a JSON list with a verdict for each object, in order.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

const (
	// As Argo CD names a health check: GROUP_KIND follows.
	keyPrefix = "resource.customizations.health."
	// As long as Argo CD lets a script run.
	scriptTime = time.Second
)

// The words that Argo CD takes; it shows any other as Unknown.
var known = map[string]bool{
	"Healthy": true, "Progressing": true, "Degraded": true, "Suspended": true, "Missing": true, "Unknown": true,
}

type question struct {
	Config  map[string]string           `json:"config"`
	Objects []unstructured.Unstructured `json:"objects"`
}

type said struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type verdict struct {
	ArgoCD  said `json:"argocd"`
	Kstatus said `json:"kstatus"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "verdicts:", err)
		os.Exit(1)
	}
}

func run() error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	verdicts := []verdict{}
	for i := range asked.Objects {
		found, err := judge(asked.Config, &asked.Objects[i])
		if err != nil {
			return fmt.Errorf("object %d (%s): %w", i, asked.Objects[i].GroupVersionKind(), err)
		}
		verdicts = append(verdicts, found)
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func judge(config map[string]string, object *unstructured.Unstructured) (verdict, error) {
	kind := object.GroupVersionKind()
	key := keyPrefix + kind.Group + "_" + kind.Kind
	script, there := config[key]
	if !there {
		return verdict{}, fmt.Errorf("no %s", key)
	}
	health, err := runScript(script, object)
	if err != nil {
		return verdict{}, fmt.Errorf("%s: %w", key, err)
	}
	result, err := status.Compute(object)
	if err != nil {
		return verdict{}, fmt.Errorf("kstatus: %w", err)
	}
	return verdict{ArgoCD: health, Kstatus: said{string(result.Status), result.Message}}, nil
}

// runScript offers a script what Argo CD offers it: the global `obj`, the base and table libraries,
// one second. No string library: `useOpenLibs` is off by default.
func runScript(script string, object *unstructured.Unstructured) (said, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return said{}, err
		}
	}
	bounded, cancel := context.WithTimeout(context.Background(), scriptTime)
	defer cancel()
	state.SetContext(bounded)
	state.SetGlobal("obj", value(state, object.Object))
	if err := state.DoString(script); err != nil {
		return said{}, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return said{}, errors.New("the script returns no table")
	}
	health := said{text(table, "status"), text(table, "message")}
	if !known[health.Status] {
		return said{}, fmt.Errorf("%q is no health status", health.Status)
	}
	return health, nil
}

func text(table *lua.LTable, field string) string {
	if found := table.RawGetString(field); found != lua.LNil {
		return strings.TrimSpace(found.String())
	}
	return ""
}

func value(state *lua.LState, from any) lua.LValue {
	switch typed := from.(type) {
	case bool:
		return lua.LBool(typed)
	case int64:
		return lua.LNumber(typed)
	case float64:
		return lua.LNumber(typed)
	case string:
		return lua.LString(typed)
	case []any:
		list := state.CreateTable(len(typed), 0)
		for _, item := range typed {
			list.Append(value(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(typed))
		for key, item := range typed {
			table.RawSetString(key, value(state, item))
		}
		return table
	}
	return lua.LNil
}
