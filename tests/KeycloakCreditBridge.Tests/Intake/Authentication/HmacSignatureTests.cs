using System.Text;
using KeycloakCreditBridge.Intake.Authentication;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Tests.Intake.Authentication;

public sealed class HmacSignatureTests
{
    private const string Vector = "24d06b6fece44aba3383aab6c25d74f068e2205b74a9ed0dc7cadf6526f5c1c4";

    private static readonly byte[] Body =
        Encoding.UTF8.GetBytes("""{"id":"11111111-1111-1111-1111-111111111111","type":"access.REGISTER"}""");

    [Fact]
    public void Every_recorded_delivery_verifies()
    {
        var recorded = Deliveries.Recorded();
        Assert.Equal(62, recorded.Count);
        Assert.All(recorded, sent =>
            Assert.Equal(AuthenticationOutcome.Valid, HmacSignature.Check(sent.Signature, sent.Body, [Deliveries.Secret])));
    }

    [Theory]
    [InlineData("qlfwemke")]
    [InlineData("the-new-one", "qlfwemke")]
    [InlineData("qlfwemke", "the-new-one")]
    public void Any_currently_valid_secret_authenticates_a_body(params string[] secrets) =>
        Assert.Equal(AuthenticationOutcome.Valid, HmacSignature.Check(Vector, Body, secrets));

    [Theory]
    [InlineData("", AuthenticationOutcome.Empty)]
    [InlineData("24d06b", AuthenticationOutcome.Malformed)]
    [InlineData(Vector + "00", AuthenticationOutcome.Malformed)]
    [InlineData("sha256=" + Vector, AuthenticationOutcome.Malformed)]
    [InlineData(Vector + "," + Vector, AuthenticationOutcome.Malformed)]
    [InlineData("xyd06b6fece44aba3383aab6c25d74f068e2205b74a9ed0dc7cadf6526f5c1c4", AuthenticationOutcome.Malformed)]
    [InlineData("34d06b6fece44aba3383aab6c25d74f068e2205b74a9ed0dc7cadf6526f5c1c4", AuthenticationOutcome.Wrong)]
    public void A_wrong_signature_is_refused(string signature, object verdict) =>
        Assert.Equal(verdict, HmacSignature.Check(signature, Body, ["qlfwemke"]));

    [Fact]
    public void A_missing_or_doubled_signature_is_refused()
    {
        Assert.Equal(AuthenticationOutcome.Missing, HmacSignature.Check(StringValues.Empty, Body, ["qlfwemke"]));
        Assert.Equal(AuthenticationOutcome.Doubled, HmacSignature.Check(new StringValues([Vector, Vector]), Body, ["qlfwemke"]));
    }

    [Fact]
    public void A_changed_body_or_no_secret_is_refused()
    {
        Assert.Equal(AuthenticationOutcome.Wrong, HmacSignature.Check(Vector, [.. Body, (byte)' '], ["qlfwemke"]));
        Assert.Equal(AuthenticationOutcome.Wrong, HmacSignature.Check(Vector, Body, []));
    }
}
