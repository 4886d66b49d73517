namespace KeycloakCreditBridge.Tests.Keycloak;

/// <summary>What an attacker does to a user of a realm with brute force detection.</summary>
internal static class WrongPasswords
{
    public static async Task SendAsync(Uri keycloak, string realm, string username, CancellationToken token)
    {
        using var http = new HttpClient();
        for (var attempt = 0; attempt < 3; attempt++)
        {
            using var form = new FormUrlEncodedContent(new Dictionary<string, string>
            {
                ["grant_type"] = "password", ["client_id"] = "admin-cli", ["username"] = username, ["password"] = "a-guess",
            });
            using var answer = await http.PostAsync(new Uri(keycloak, $"realms/{realm}/protocol/openid-connect/token"), form, token);
            Assert.False(answer.IsSuccessStatusCode);
        }
    }
}
