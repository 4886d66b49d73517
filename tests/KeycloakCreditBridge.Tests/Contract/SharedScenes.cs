using System.Collections.Concurrent;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Scenes with a running bridge for tests that only add people: one of each sort for all tests of a class.</summary>
public sealed class SharedScenes(KeycloakServers servers, PostgresServer postgres) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(KeycloakKind Kind, Hearing Hearing), ContractScene> _scenes = new();

    /// <summary>The scene, with its bridge started if need be. Tests of one class never ask at once.</summary>
    internal async Task<ContractScene> GetAsync(KeycloakKind kind, Hearing hearing = Hearing.WebhooksAndPolling)
    {
        if (_scenes.TryGetValue((kind, hearing), out var known))
            return known;
        var scene = _scenes[(kind, hearing)] = await ContractScene.CreateAsync(servers, postgres, kind, hearing);
        await scene.StartBridgeAsync();
        return scene;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var scene in _scenes.Values)
            await scene.DisposeAsync();
    }
}
