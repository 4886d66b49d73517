using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Tests.Provisioning.Policy;

public sealed class AccountIdTemplateTests
{
    [Theory]
    [InlineData("a-1", "a-1")]
    [InlineData(" Zoë 王 ", "Zoë 王")]
    [InlineData("a\n2026-01-01 INF 400 forged", null)]
    [InlineData("a\rb", null)]
    [InlineData("a\u001b[2J", null)]
    [InlineData("a\0", null)]
    [InlineData("a\u0085b", null)]
    [InlineData("a\u2028b", null)]
    [InlineData("a\u202eb", null)]
    [InlineData("a\u2066b", null)]
    public void A_value_that_ends_or_turns_a_line_is_no_account_id(string value, string? expected)
    {
        var user = new Subject("shop", "u1", true, false, null)
        {
            Username = value, Email = value, Attributes = new Dictionary<string, IReadOnlyList<string>> { ["crm"] = [value] },
        };

        Assert.Equal(expected, new AccountIdTemplate("{attribute:crm}").Of(user));
        Assert.Equal(expected, new AccountIdTemplate("{username}").Of(user));
        Assert.Equal(expected?.ToLowerInvariant(), new AccountIdTemplate("{email}").Of(user));
    }
}
