using System.Collections.Concurrent;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Scenes for tests that do not disturb each other: one of each sort for a class, whose tests run one after the other.</summary>
public sealed class ContractFixtures(KeycloakFixture servers, PostgresFixture postgres) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(KeycloakKind Kind, EventDelivery Hearing), ContractFixture> _scenes = new();

    /// <summary>A scene whose bridge runs.</summary>
    internal async Task<ContractFixture> GetAsync(KeycloakKind kind, EventDelivery hearing = EventDelivery.WebhooksAndPolling)
    {
        var scene = await GetWithoutBridgeAsync(kind, hearing);
        if (!scene.HasBridge)
            await scene.StartBridgeAsync();
        return scene;
    }

    /// <summary>A scene whose bridge the test starts and stops.</summary>
    internal async Task<ContractFixture> GetWithoutBridgeAsync(
        KeycloakKind kind, EventDelivery hearing = EventDelivery.WebhooksAndPolling) =>
        _scenes.TryGetValue((kind, hearing), out var known)
            ? known
            : _scenes[(kind, hearing)] = await ContractFixture.CreateAsync(servers, postgres, kind, hearing);

    public async ValueTask DisposeAsync()
    {
        foreach (var scene in _scenes.Values)
            await scene.DisposeAsync();
    }
}
