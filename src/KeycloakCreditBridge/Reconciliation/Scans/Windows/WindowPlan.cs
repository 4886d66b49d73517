using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Reconciliation.Scans.Windows;

/// <summary>Cuts time into windows of about equally many users, one after the other, as wide as the last ones suggest.</summary>
/// <param name="client">Counts.</param>
/// <param name="realm">The realm's name.</param>
/// <param name="users">How many users a window shall have, give or take a half.</param>
/// <param name="all">What is to be cut.</param>
/// <param name="now">Few users are expected behind it.</param>
internal sealed class WindowPlan(KeycloakClient client, string realm, int users, CreatedWindow all, long now)
{
    private const long Year = 366L * 24 * 3_600_000;
    private const int Widening = 16;

    private long _next = all.From;
    private long _width = Year;

    public bool IsAtEnd { get; private set; }

    /// <summary>
    /// The next window and how many users Keycloak counts in it: many more than asked for only where they share a millisecond.
    /// </summary>
    public async Task<(CreatedWindow Window, long Counted)> NextAsync(CancellationToken cancellationToken)
    {
        var wasTooWide = false;
        while (true)
        {
            var limit = Math.Min(all.To, _next <= now ? now : now + (100 * Year));
            var window = new CreatedWindow(_next, _next + _width > limit ? all.To : _next + _width - 1);
            var counted = await client.CountCreatedAsync(realm, window, cancellationToken);
            if (counted > users + (users / 2) && _width > 1)
            {
                var width = window.To == all.To ? limit - _next + 1 : _width;
                _width = Math.Max(1, width / Math.Max(2, counted / users));
                wasTooWide = true;
                continue;
            }

            if (counted > users + (users / 2) && window.To != all.To)
                await CheckFilterAsync(window, counted, cancellationToken);

            // Few here and too many in a wider one: many users of one moment follow.
            if (counted >= Math.Max(1, users / 2) || wasTooWide || window.To == all.To)
            {
                IsAtEnd = window.To == all.To;
                _next = IsAtEnd ? _next : window.To + 1;
                return (window, counted);
            }

            // Wider windows count the same users again, which costs little while they are few.
            _width *= counted == 0 ? Widening : Math.Clamp(users / counted, 2, Widening);
        }
    }

    // A server that ignores the filter, such as an older one at the same address, counts every user in any window.
    private async Task CheckFilterAsync(CreatedWindow window, long counted, CancellationToken cancellationToken)
    {
        var behind = await client.CountCreatedAsync(realm, window with { From = window.To + 1, To = all.To }, cancellationToken);
        var both = await client.CountCreatedAsync(realm, window with { To = all.To }, cancellationToken);
        if (counted + behind <= both + (both / 2))
            return;
        client.ForgetCapabilities(realm);
        throw new KeycloakProtocolException(
            realm, "Keycloak counts the same users in every created window: it no longer filters by creation time. Try again.");
    }
}
