using System.Text;
using KeycloakCreditBridge.Outbox.Endpoints;

namespace KeycloakCreditBridge.Tests.Outbox.Endpoints;

public sealed class SigningKeyTests
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    // The vector of the libraries of Standard Webhooks.
    [Fact]
    public void A_body_is_signed_as_Standard_Webhooks_says()
    {
        var body = Encoding.UTF8.GetBytes("{\"test\": 2432232314}");
        const string Signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        Assert.Equal(Signature, SigningKey.Sign([Secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body));
        Assert.Equal(Signature, SigningKey.Sign([Secret["whsec_".Length..]], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body));
    }

    [Fact]
    public void While_a_secret_is_replaced_both_sign()
    {
        var other = $"whsec_{Convert.ToBase64String(new byte[32])}";
        var both = SigningKey.Sign([other, Secret], "a", 1, "b"u8).Split(' ');
        Assert.Equal([SigningKey.Sign([other], "a", 1, "b"u8), SigningKey.Sign([Secret], "a", 1, "b"u8)], both);
    }

    [Theory]
    [InlineData("", "is empty or no base64")]
    [InlineData("whsec_", "is empty or no base64")]
    [InlineData("whsec_not base64!", "is empty or no base64")]
    [InlineData("whsec_c2hvcnQ=", "has 5 bytes")]
    public void A_secret_that_can_be_guessed_is_refused_with_the_remedy(string secret, string problem)
    {
        var said = SigningKey.Problem(secret)!;
        Assert.StartsWith(problem, said, StringComparison.Ordinal);
        Assert.Contains("openssl rand -base64 32", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(23, false)]
    [InlineData(24, true)]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void A_secret_has_24_to_64_bytes(int bytes, bool isRight) =>
        Assert.Equal(isRight, SigningKey.Problem($"whsec_{Convert.ToBase64String(new byte[bytes])}") is null);
}
