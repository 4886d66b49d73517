using System.Collections.Concurrent;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Fixtures for tests that do not disturb each other: one of each sort for a class, whose tests run one after the other.</summary>
public sealed class ContractFixtures(KeycloakFixture servers, PostgresFixture postgres) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(KeycloakKind Kind, EventDelivery Hearing), ContractFixture> _fixtures = new();

    /// <summary>A fixture whose bridge runs.</summary>
    internal async Task<ContractFixture> GetAsync(KeycloakKind kind, EventDelivery hearing = EventDelivery.WebhooksAndPolling)
    {
        var fixture = await GetWithoutBridgeAsync(kind, hearing);
        if (!fixture.HasBridge)
            await fixture.StartBridgeAsync();
        return fixture;
    }

    /// <summary>A fixture whose bridge the test starts and stops.</summary>
    internal async Task<ContractFixture> GetWithoutBridgeAsync(
        KeycloakKind kind, EventDelivery hearing = EventDelivery.WebhooksAndPolling) =>
        _fixtures.TryGetValue((kind, hearing), out var known)
            ? known
            : _fixtures[(kind, hearing)] = await ContractFixture.CreateAsync(servers, postgres, kind, hearing);

    public async ValueTask DisposeAsync()
    {
        foreach (var fixture in _fixtures.Values)
            await fixture.DisposeAsync();
    }
}
