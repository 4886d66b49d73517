using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace KeycloakCreditBridge.Sandbox.Tour;

/// <summary>Has added users read and spend credits through the HTTP API, as an LLM gateway does for them.</summary>
internal sealed class UsersAtWork(SandboxSystem system, TimeProvider clock)
{
    private const string Client = "gateway";

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    /// <summary>Waits for the accounts; then half of the users read their balance, a third spends, and each twelfth spends all.</summary>
    /// <exception cref="HttpRequestException">The bridge or Keycloak refused a request.</exception>
    public async Task SpendAsync(int users, CancellationToken cancellationToken)
    {
        var accounts = await AccountsAsync(users, cancellationToken);
        using var http = new HttpClient { BaseAddress = system.BridgeUrl };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await TokenAsync(http, cancellationToken));
        for (var index = 0; index < accounts.Count; index += 2)
        {
            using var balance = await http.GetAsync(
                new Uri($"api/v1/llm/credits?user_id={Uri.EscapeDataString(accounts[index])}", UriKind.Relative), cancellationToken);
            balance.EnsureSuccessStatusCode();
            if (index % 3 != 0)
                continue;
            for (var call = 0; call <= index % 4; call++)
            {
                using var answer = await http.PostAsJsonAsync(
                    "api/v1/credits/deduct",
                    new JsonObject
                    {
                        ["user_id"] = accounts[index], ["service"] = "llm", ["model"] = index % 5 == 0 ? "large" : "small",
                        ["amount"] = index % 12 == 0 && call == 0
                            ? "5" : ((index % 7 + 1) * 0.035m).ToString(CultureInfo.InvariantCulture),
                    },
                    cancellationToken);
                // Those who have nothing left are refused: that is what a gateway sees too.
                if (answer.StatusCode != System.Net.HttpStatusCode.PaymentRequired)
                    answer.EnsureSuccessStatusCode();
            }
        }
    }

    private async Task<IReadOnlyList<string>> AccountsAsync(int users, CancellationToken cancellationToken)
    {
        var (store, started) = (new AccountRowsStore(system.DataSource), clock.GetTimestamp());
        while (true)
        {
            var accounts = await store.FoundByReconciliationAsync(cancellationToken);
            if (accounts.Count >= users || clock.GetElapsedTime(started) > Longest)
                return accounts;
            await Task.Delay(TimeSpan.FromMilliseconds(200), clock, cancellationToken);
        }
    }

    private async Task<string> TokenAsync(HttpClient http, CancellationToken cancellationToken)
    {
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials", ["client_id"] = Client, ["client_secret"] = system.GatewaySecret,
        });
        using var answer = await http.PostAsync(
            new Uri(system.Keycloak.Url, $"realms/{SandboxSystem.Realm}/protocol/openid-connect/token"), form, cancellationToken);
        answer.EnsureSuccessStatusCode();
        return (string?)(await answer.Content.ReadFromJsonAsync<JsonNode>(cancellationToken))!["access_token"] ?? "";
    }
}
