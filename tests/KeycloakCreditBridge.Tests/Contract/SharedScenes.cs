using System.Collections.Concurrent;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Scenes for tests that do not disturb each other: one of each sort for a class, whose tests run one after the other.</summary>
public sealed class SharedScenes(KeycloakServers servers, PostgresServer postgres) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(KeycloakKind Kind, Hearing Hearing), ContractScene> _scenes = new();

    /// <summary>A scene whose bridge runs.</summary>
    internal async Task<ContractScene> GetAsync(KeycloakKind kind, Hearing hearing = Hearing.WebhooksAndPolling)
    {
        var scene = await GetQuietAsync(kind, hearing);
        if (!scene.HasBridge)
            await scene.StartBridgeAsync();
        return scene;
    }

    /// <summary>A scene whose bridge the test starts and stops.</summary>
    internal async Task<ContractScene> GetQuietAsync(KeycloakKind kind, Hearing hearing = Hearing.WebhooksAndPolling) =>
        _scenes.TryGetValue((kind, hearing), out var known)
            ? known
            : _scenes[(kind, hearing)] = await ContractScene.CreateAsync(servers, postgres, kind, hearing);

    public async ValueTask DisposeAsync()
    {
        foreach (var scene in _scenes.Values)
            await scene.DisposeAsync();
    }
}
